// Runs at the edge for each request, before the cache. It answers for folders and for keys that are internal, and rewrites
// other spellings of a path to the key of the object, with the resolver's table. Spellings that need more than their
// segments, such as packages/OS/VERSION/FILE/download, are for the resolver alone, and so are pages, which lie in folders.

// Written by: go test ./deploy/terraform -run TestFunctionTable -update
// spellings begin
var spellings = [
  ["{owner}/{name}/snapshots/{id}/{os}/dists/{codename}/{component}/{folder}/by-hash/SHA256/{sum}","{owner}/{name}/{os}/dists/{codename}/{component}/{folder}/by-hash/SHA256/{sum}"],
  ["{owner}/{name}/snapshots/{id}/{os}/pool/{rest...}","{owner}/{name}/{os}/pool/{rest...}"],
  ["{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/repomd.xml","{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/repomd.xml"],
  ["{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/repomd.xml.asc","{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/repomd.xml.asc"],
  ["{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/repodata/{file}","{owner}/{name}/{os}/{version}/{arch}/repodata/{file}"],
  ["{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/{file}.rpm","{owner}/{name}/{os}/{version}/{arch}/{file}.rpm"],
  ["{owner}/{name}/snapshots/{id}/{os}/{version}/{arch}/{epoch}/{file}.rpm","{owner}/{name}/{os}/{version}/{arch}/{epoch}/{file}.rpm"],
  ["gpgkey/gpg.key","gpg.key"],
  ["gpgkey/{owner}/{id}.pub.gpg","gpgkey/{id}"],
  ["{owner}/{name}/gpgkey/{file}","{owner}/{name}/gpgkeys/{file}"],
  ["{owner}/{name}/{os}/{codename}/dists/{codename}/{rest...}","{owner}/{name}/{os}/dists/{codename}/{rest...}"],
  ["{owner}/{name}/{os}/{codename}/pool/{codename}/{component}/{prefix}/{package}/{rest...}","{owner}/{name}/{os}/pool/{codename}/{component}/{prefix}/{package}/{rest...}"],
  ["{owner}/{name}/{os}/{codename}/pool/{rest...}","{owner}/{name}/{os}/pool/{codename}/{rest...}"],
];
// spellings end

// Folders, empty segments, those that begin with a dot, and slashes in disguise. A bucket would answer "/" with the list
// of all keys.
var refused = /\/(\.|%2e|\/|$)|%2f|%5c|\\/i;

function handler(event) {
  var request = event.request;
  if (refused.test(request.uri)) {
    return { statusCode: 404, statusDescription: 'Not Found', headers: { 'cache-control': { value: 'max-age=10' } } };
  }
  var key = respell(request.uri.slice(1).split('/'));
  if (key !== null) {
    request.uri = '/' + key;
  }
  return request;
}

// respell returns the key of a path in another spelling, and null for other paths.
function respell(path) {
  for (var i = 0; i < spellings.length; i++) {
    var values = match(spellings[i][0].split('/'), path);
    if (values !== null) {
      return spellings[i][1].replace(/{[^}]*}/g, function (name) { return values[name]; });
    }
  }
  return null;
}

// match returns the parts of a path that the names in a pattern mean, and null if it is of another form. A name may be followed
// by a text in which the segment ends; "{rest...}" is one segment or more.
function match(pattern, path) {
  var values = {};
  for (var i = 0; i < pattern.length; i++) {
    var want = pattern[i], end = want.indexOf('}') + 1;
    if (i >= path.length) {
      return null;
    }
    if (want[0] !== '{') {
      if (want !== path[i]) {
        return null;
      }
      continue;
    }
    var name = want.slice(0, end), tail = want.slice(end), rest = name.indexOf('...') > 0;
    var value = rest ? path.slice(i).join('/') : path[i];
    if (value.length <= tail.length || !value.endsWith(tail)) {
      return null;
    }
    value = value.slice(0, value.length - tail.length);
    if (name in values && values[name] !== value) {
      return null;
    }
    values[name] = value;
    if (rest) {
      return values;
    }
  }
  return pattern.length === path.length ? values : null;
}
