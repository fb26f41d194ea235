dry_run='' root='' work='' changes=0
set -u # every variable below is set here or by the settings above
LC_ALL=C
export LC_ALL ours
umask 022

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "$repository" "$*" >&2; }

# fail CODE SENTENCE: ends the script, with everything as it was.
fail() {
	code=$1
	shift
	warn "$*"
	undo
	exit "$code"
}

usage() {
	say "usage: $script [--dry-run] [--root DIR]"
	say ''
	say "Sets this system up for packages of $repository, from $url."
	say '  --dry-run    print what would be written and run, and change nothing'
	say '  --root DIR   write below DIR, for an image, and run no client'
	say 'Environment: os= and dist= name the distribution if the system is not recognized;'
	say 'username= or password= is the token of a private repository.'
	say 'Exit codes: 0 done, 1 a file cannot be written, 2 wrong usage, 3 no distribution for this system,'
	say '4 not root, 5 the client cannot read the repository. After all but 0 everything is as before.'
}

options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--dry-run) dry_run=yes ;;
		--root)
			[ $# -gt 1 ] && [ -d "$2" ] || fail 2 '--root: want the folder of a system'
			root=${2%/}
			shift
			;;
		-h | --help)
			usage
			exit 0
			;;
		*)
			usage >&2
			exit 2
			;;
		esac
		shift
	done
	if [ -z "$dry_run" ] && [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
		fail 4 "run this as root: curl -fsSL $url/install/repositories/$repository/$script | sudo sh"
	fi
}

# credentials sets login and secret, which clients send, to what the environment has.
credentials() {
	login=${username:-} secret=${password:-}
	[ -z "$private" ] && login='' secret=''
	[ -z "$private$login$secret" ] && return
	if [ -z "$login$secret" ]; then
		fail 2 'this repository is private: give its token, as in: curl -fsSL -u TOKEN: URL | sudo username=TOKEN sh'
	fi
	login=${login:-x} secret=${secret:-x}
	case $login$secret in
	*[!A-Za-z0-9._~+/=@:-]*) fail 2 'username= and password= may have letters, digits and ._~+/=@:- only' ;;
	esac
	[ -z "$dry_run" ] || login='***' secret='***'
}

# from_release NAME: a value of os-release, in lower case and without what no name has.
from_release() {
	for file in "$root/etc/os-release" "$root/usr/lib/os-release"; do
		[ -r "$file" ] || continue
		sed -n "s/^$1=//p" "$file" | tail -n 1 | tr '[:upper:]' '[:lower:]' | tr -cd 'a-z0-9._ :-'
		return
	done
}

# offered OS VERSION: sets the distribution that a system of this name reads; false if the repository has none.
offered() {
	[ -n "$1" ] && [ -n "$2" ] || return 1
	for try in "$2" "${2%.*}" "${2%%.*}"; do
		known "$1/$try" && return
	done
	return 1
}

# chosen: takes the distribution that the environment names, if it does.
chosen() {
	[ -n "${os:-}${dist:-}" ] || return 1
	[ -n "${os:-}" ] && [ -n "${dist:-}" ] || fail 2 'give both os= and dist=, such as os=debian dist=trixie'
	wanted=$(printf '%s' "$os/$dist" | tr '[:upper:]' '[:lower:]' | tr -cd 'a-z0-9._/-')
	offered "${wanted%%/*}" "${wanted#*/}" || unknown "$wanted"
}

unknown() {
	warn "it has no packages for ${1:-this system}, but for:"
	for name in $distributions; do warn "  $name"; done
	fail 3 "if this system takes packages of one of these, say which: curl -fsSL $url/install/repositories/$repository/$script | sudo os=OS dist=VERSION sh"
}

# keep FILE: notes how a file is now, so that undo can put it back.
keep() {
	changes=$((changes + 1))
	printf '%s' "$1" >"$work/$changes.name" || fail 1 'cannot write temporary files'
	if [ -e "$1" ]; then cp -p "$1" "$work/$changes.was" || fail 1 "cannot copy $1"; fi
}

# undo puts everything back and removes the temporary files.
undo() {
	[ -n "$work" ] || return 0
	while [ "$changes" -gt 0 ]; do
		name=$(cat "$work/$changes.name")
		if [ -e "$work/$changes.was" ]; then cp -p "$work/$changes.was" "$name"; else rm -f "$name"; fi
		changes=$((changes - 1))
	done
	if [ -e "$work/made" ]; then
		while read -r name; do rmdir "$name" 2>/dev/null; done <"$work/made"
	fi
	rm -rf "$work"
	work=''
}

begin() {
	[ -z "$dry_run" ] || return 0
	work=$(mktemp -d) || fail 1 'cannot make a temporary folder'
	trap 'undo; exit 130' HUP INT TERM
}

# put MODE FILE: the standard input becomes the file, all of it or nothing.
put() {
	if [ -n "$dry_run" ]; then
		say "would write $2 (mode $1):"
		sed 's/^/    /'
		return
	fi
	[ -d "$root${2%/*}" ] || printf '%s\n' "$root${2%/*}" >>"$work/made"
	mkdir -p "$root${2%/*}" || fail 1 "cannot make ${2%/*}"
	new=$(mktemp "$root${2%/*}/.repomill.XXXXXX") || fail 1 "cannot write into ${2%/*}"
	if ! { cat >"$new" && chmod "$1" "$new"; }; then
		rm -f "$new"
		fail 1 "cannot write $2"
	fi
	keep "$root$2"
	mv -f "$new" "$root$2" || fail 1 "cannot write $2"
	say "wrote $2"
}

# spare FILE: a name for a copy that no client reads, and that is not there yet.
spare() {
	to=$1.bak n=1
	while [ -e "$to" ]; do
		to=$1.$n.bak n=$((n + 1))
	done
	printf '%s' "$to"
}

# disable FILE PROGRAM: comments entries of this repository out, and keeps the file as it was beside it. The awk program
# prints what becomes of the file, which is nothing if no other entry is in it, and ends with code 10 if entries of ours are.
disable() {
	[ -f "$1" ] || return 0
	left=$(awk "$2" "$1") && return 0
	[ $? = 10 ] || fail 1 "cannot read $1 with awk"
	if [ -n "$dry_run" ]; then
		say "would disable the entries of $repository in ${1#"$root"}, and keep that file as it is under another name"
		return
	fi
	copy=$(spare "$1")
	keep "$copy"
	cp -p "$1" "$copy" || fail 1 "cannot copy $1"
	keep "$1"
	if [ -z "$left" ]; then
		rm -f "$1" || fail 1 "cannot remove $1"
	else
		printf '%s\n' "$left" >"$1" || fail 1 "cannot write $1"
	fi
	say "disabled the entries of $repository in ${1#"$root"}, which is kept as ${copy#"$root"}"
}

finish() {
	if [ -n "$dry_run" ]; then
		say 'nothing was changed'
		return
	fi
	rm -rf "$work"
	work=''
	say "$repository is set up: $1 install PACKAGE"
}
