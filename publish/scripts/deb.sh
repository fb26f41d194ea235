detect() {
	chosen && return
	id=$(from_release ID) codename=$(from_release VERSION_CODENAME)
	offered "$id" "$codename" && return
	offered "$id" "$(from_release VERSION_ID)" && return
	offered ubuntu "$(from_release UBUNTU_CODENAME)" && return
	offered debian "$(from_release DEBIAN_CODENAME)" && return
	if [ "$id" != raspbian ]; then # whose oldest hosts do not run what Debian calls armhf
		for like in $(from_release ID_LIKE); do
			offered "$like" "$codename" && return
		done
	fi
	case $(cat "$root/etc/debian_version" 2>/dev/null) in
	*/sid) [ "$id" = debian ] && offered debian sid && return ;;
	esac
	known any/any && return
	unknown "$id${codename:+/$codename}"
}

# older VERSION: whether apt is older.
older() {
	apt=$(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Version}' apt 2>/dev/null) || return 1
	dpkg --compare-versions "$apt" lt "$1"
}

# host_architectures: this system's own, and those foreign ones that the repository has.
host_architectures() {
	own=$(dpkg --print-architecture) || own=
	all=$own
	for foreign in $([ -n "$root" ] || dpkg --print-foreign-architectures); do
		case " $architectures " in
		*" $foreign "*) all="$all $foreign" ;;
		esac
	done
	printf '%s' "$all"
}

# For each kind of file, what awk makes of it.
one_line='
{ line = tolower($0) }
line ~ /^[ \t]*deb(-src)?[ \t]/ {
	if (line ~ ENVIRON["ours"]) { $0 = "# " $0; found = 1 } else others = 1
}
{ text = text $0 "\n" }
END { if (others) printf "%s", text; exit found ? 10 : 0 }'
deb822='
BEGIN { RS = "" }
{
	plain = tolower("\n" $0)
	gsub(/\n#[^\n]*/, "", plain)
	if (plain ~ /\nuris:/) {
		if (plain ~ ENVIRON["ours"]) { gsub(/\n/, "\n# "); $0 = "# " $0; found = 1 } else others = 1
	}
	text = text $0 "\n\n"
}
END { if (others) printf "%s", text; exit found ? 10 : 0 }'

# new_source: what the file of this repository becomes.
new_source() {
	found=$(host_architectures)
	if [ -n "$old" ]; then
		say "deb ${found:+[arch=$(printf '%s' "$found" | tr ' ' ,)] }$url/$repository/$distro_os $distro_version $components"
		return
	fi
	say "# $repository for $distro_os/$distro_version, by $script"
	say 'Types: deb'
	say "URIs: $url/$repository/$distro_os/"
	say "Suites: $distro_version"
	say "Components: $components"
	[ -z "$found" ] || say "Architectures: $found"
	say "Signed-By: $keyring"
}

# authenticate gives apt the token for what is below the repository. Before 1.5 apt reads one file only.
authenticate() {
	line="machine $machine login $login password $secret"
	if ! older 1.5; then
		put 600 "/etc/apt/auth.conf.d/$name.conf" <<LINE
$line
LINE
		return
	fi
	others=$(grep -vF "machine $machine " "$root/etc/apt/auth.conf" 2>/dev/null) || true
	put 600 /etc/apt/auth.conf <<LINES
$others
$line
LINES
}

refresh() {
	[ -z "$root" ] || return 0
	set -- apt-get update -o "Dir::Etc::sourcelist=$source" -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any
	if [ -n "$dry_run" ]; then
		say "would run: $*"
		return
	fi
	tries=24
	until "$@" </dev/null 2>"$work/errors"; do
		cat "$work/errors" >&2
		tries=$((tries - 1))
		if [ "$tries" = 0 ] || ! grep -q 'Could not get lock' "$work/errors"; then
			fail 5 "apt cannot read the repository (see above): nothing was changed"
		fi
		sleep 5 # another apt runs, as on each host that has just started
	done
	cat "$work/errors" >&2
}

main() {
	options "$@"
	credentials
	detect
	old='' source=/etc/apt/sources.list.d/$name.sources
	if older 1.1; then # which reads no deb822 and no Signed-By
		old=yes source=/etc/apt/sources.list.d/$name.list keyring=/etc/apt/trusted.gpg.d/$name.gpg
	fi
	say "$repository: packages for $distro_os/$distro_version"
	begin
	text=$(new_source)
	for file in "$root/etc/apt/sources.list" "$root"/etc/apt/sources.list.d/*.list; do
		[ "$file" = "$root$source" ] && [ "$(cat "$file" 2>/dev/null)" = "$text" ] || disable "$file" "$one_line"
	done
	for file in "$root"/etc/apt/sources.list.d/*.sources; do
		[ "$file" = "$root$source" ] && [ "$(cat "$file" 2>/dev/null)" = "$text" ] || disable "$file" "$deb822"
	done
	if [ -n "$dry_run" ]; then
		say "would write $keyring (mode 644): public keys $fingerprints"
	else
		public_keys >"$work/keys" || fail 1 'cannot decode the public keys'
		put 644 "$keyring" <"$work/keys"
	fi
	[ -z "$private" ] || authenticate
	put 644 "$source" <<TEXT
$text
TEXT
	refresh
	finish apt-get
}
main "$@"
