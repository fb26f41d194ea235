detect() {
	chosen && return
	id=$(from_release ID) version=$(from_release VERSION_ID) platform=$(from_release PLATFORM_ID)
	offered "$id" "$version" && return
	case $(from_release VERSION) in
	*rawhide*) offered "$id" rawhide && return ;;
	esac
	case $platform in
	platform:el*) offered el "${platform#platform:el}" && return ;;
	platform:f*) offered fedora "${platform#platform:f}" && return ;;
	platform:al*) offered amazon "${platform#platform:al}" && return ;;
	esac
	for like in $(from_release ID_LIKE); do
		case $like in
		rhel | centos) offered el "$version" && return ;;
		esac
	done
	known rpm_any/rpm_any && return
	unknown "$id${version:+/$version}"
}

# tool sets the program that installs packages, and the folder of its configuration.
tool() {
	program=$client
	for any in "$client" dnf yum zypper; do
		if [ -x "$root/usr/bin/$any" ] || [ -x "$root/usr/local/bin/$any" ]; then
			program=$any
			break
		fi
	done
	folder=/etc/yum.repos.d
	[ "$program" != zypper ] || folder=/etc/zypp/repos.d
}

# What awk makes of a .repo file.
sections='
function flush() {
	if (mine) { gsub(/\n/, "\n# ", part); text = text "# " substr(part, 1, length(part) - 2); found = 1 }
	else { text = text part; if (part ~ /^[ \t]*\[/) others = 1 }
	part = ""; mine = 0
}
/^[ \t]*\[/ { flush() }
{ part = part $0 "\n" }
!/^[ \t]*[#;]/ && tolower($0) ~ ENVIRON["ours"] && /^[ \t]*(baseurl|mirrorlist|metalink)?[ \t]*[= \t]/ { mine = 1 }
END { flush(); if (others) printf "%s", text; exit found ? 10 : 0 }'

# authenticate gives the client the token: zypper in a file that the URL names, others in the configuration itself.
authenticate() {
	if [ "$program" != zypper ]; then
		mode=600 lines="username=$login
password=$secret
"
		return
	fi
	query="?credentials=$name"
	put 600 "/etc/zypp/credentials.d/$name" <<LINES
username=$login
password=$secret
LINES
}

refresh() {
	[ -z "$root" ] || return 0
	case $program in
	zypper) set -- zypper --non-interactive --gpg-auto-import-keys refresh "$name" ;;
	*) set -- "$program" -y makecache '--disablerepo=*' "--enablerepo=$name" "--setopt=$name.skip_if_unavailable=0" ;;
	esac
	if [ -n "$dry_run" ]; then
		say "would run: $*"
		return
	fi
	"$@" </dev/null || fail 5 "$program cannot read the repository (see above): nothing was changed"
}

main() {
	options "$@"
	credentials
	detect
	tool
	target=$folder/$name.repo mode=644 lines='' query=''
	say "$repository: packages for $distro_os/$distro_version, by $program"
	begin
	[ -z "$private" ] || authenticate
	text=$(repo_file)
	for file in "$root"/etc/yum.repos.d/*.repo "$root"/etc/zypp/repos.d/*.repo; do
		[ "$file" = "$root$target" ] && [ "$(cat "$file" 2>/dev/null)" = "$text" ] || disable "$file" "$sections"
	done
	put "$mode" "$target" <<TEXT
$text
TEXT
	refresh
	finish "$program"
}
main "$@"
