// node --test: the function that runs at the edge, with the cases of the resolver's own tests.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import vm from 'node:vm';

const code = fs.readFileSync(new URL('../function.js', import.meta.url), 'utf8');
const cases = JSON.parse(fs.readFileSync(process.env.SPELLINGS, 'utf8'));

function run(uri) {
  const context = vm.createContext({});
  vm.runInContext(code, context);
  const request = { method: 'GET', uri, querystring: {}, headers: {}, cookies: {} };
  return JSON.parse(JSON.stringify(context.handler({ version: '1.0', context: { eventType: 'viewer-request' }, request })));
}

for (const { name, path, key } of cases) {
  test(name, () => assert.equal(run('/' + path).uri, '/' + key));
}

for (const uri of [
  '/', '//', '/acme/tools/', '/acme/tools/ubuntu/dists/jammy/', '/acme//tools/gpgkey',
  '/.repomill/acme/tools.json', '/%2Erepomill/acme/tools.json', '/%2erepomill/keys.json', '/.history/acme/tools/ubuntu/jammy/1.json', '/.prepared/x', '/.collect/x', '/.embargo/0123456789abcdef0123456789abcdef', '/%2eembargo/x', '/.embargo/',
  '/acme/tools/../tools/gpgkey', '/acme/tools/./gpgkey', '/acme/tools/%2e%2e/gpgkey', '/acme/tools/.hidden',
  '/acme%2Ftools/gpgkey', '/acme%2ftools/gpgkey', '/acme\\tools/gpgkey', '/acme%5Ctools/gpgkey',
]) {
  test(`${uri} is 404`, () => {
    const answer = run(uri);
    assert.equal(answer.statusCode, 404);
    assert.equal(answer.uri, undefined);
  });
}

// Percent-encoding and all that is no other spelling pass as they are: the signature was over these bytes.
for (const uri of [
  '/acme/tools/ubuntu/pool/jammy/main/libc/libc6/libc6_2.35~rc1%2Bb2_amd64.deb', '/acme/tools/el/9/x86_64/repodata/repomd.xml.asc',
  '/gpg.key', '/gpgkey/3D645A26AB9FBD22', '/acme/tools/packages/el/9/hello-1-1.x86_64.rpm/download', '/acme/tools/ubuntu/jammy.sources',
]) {
  test(`${uri} stays`, () => assert.equal(run(uri).uri, uri));
}

test('the query and the headers stay', () => {
  const context = vm.createContext({});
  vm.runInContext(code, context);
  const request = { method: 'GET', uri: '/gpgkey/gpg.key', querystring: { Signature: { value: 'x' } }, headers: { range: { value: 'bytes=0-' } }, cookies: {} };
  const answer = context.handler({ request });
  assert.equal(answer.uri, '/gpg.key');
  assert.equal(answer.querystring.Signature.value, 'x');
  assert.equal(answer.headers.range.value, 'bytes=0-');
});
