# Makes the calls of package_cloud's commands as that makes them: with RestClient, and of the answers by the fields that it reads.
#
#   ruby commands.rb SERVER TOKEN KEYFILE

require "json"
require "rest_client"

server, token, keyfile = ARGV
BASE = server.sub("://", "://#{token}:@")

def get(path)
  JSON.parse(RestClient.get(BASE + path))
end

puts "created " + JSON.parse(RestClient.post(BASE + "/api/v1/repos.json", :repository => { :name => "vault", :private => "1" }))["url"][%r{[^/]+/[^/]+\z}]
get("/api/v1/repos.json").each do |r|
  puts "listed #{r["fqname"]}, #{r["private"] ? "private" : "public"}, last push: #{r["last_push_human"]}, packages: #{r["package_count_human"]}"
end

paths = get("/api/v1/repos/acme/vault.json")["paths"]
master = JSON.parse(RestClient.post(BASE + paths["create_master_token"], :master_token => { :name => "hosts" }))
puts "master token #{master["name"]}, of #{master["value"].length} characters"
read = JSON.parse(RestClient.post(BASE + master["paths"]["self"] + "/read_tokens.json", :read_token => { :name => "web-1" }))
puts "read token #{read["name"]}, of #{read["value"].length} characters"
host = RestClient.post(server.sub("://", "://#{master["value"]}:@") + "/install/repositories/acme/vault/tokens.text", { :os => "ubuntu", :dist => "jammy", :name => "web-1" })
puts "token of a host, of #{host.to_s.length} characters"

list = get(paths["master_tokens"])
list.each do |m|
  puts "listed #{m["name"]}: #{m["read_tokens"].length} read tokens"
end
found = list.detect { |m| m["name"] == "hosts" }
id = found["read_tokens"].detect { |t| t["name"] == "web-1" }["id"]
puts "read token destroyed: #{RestClient.delete(BASE + found["paths"]["self"] + "/read_tokens/#{id}").code}"

RestClient::Request.execute(:method => "post", :url => BASE + paths["gpg_keys"], :timeout => nil, :payload => { :gpg_key => { :keydata => File.new(keyfile, "rb") } })
keys = get(paths["gpg_keys"])["gpg_keys"]
keys.each { |k| puts "key of #{k["keytype"]}, #{k["fingerprint"].length} digits, #{k["name"] == k["download_url"].split("/").last}" }
puts "key destroyed: #{RestClient.delete(BASE + keys.detect { |k| k["keytype"] == "package" }["self"]).code}"
begin
  RestClient.delete(BASE + keys.detect { |k| k["keytype"] == "repo" }["self"])
rescue RestClient::ResourceNotFound
  puts "the key of the repository stays"
end
begin
  RestClient.post(BASE + paths["create_master_token"], :master_token => { :name => "hosts" })
rescue RestClient::UnprocessableEntity => e
  JSON.parse(e.response).each { |k, v| puts "\t#{k}: #{v.join(", ")}" }
end
puts "master token destroyed: #{RestClient.delete(BASE + found["paths"]["self"]).code}"
