#!/bin/sh
# dpkg calls this with "configure" and the version that was configured before, rpm with the number of installed versions.
set -e
# Without systemd-sysusers, the unit's DynamicUser creates the user.
if command -v systemd-sysusers >/dev/null; then systemd-sysusers @PACKAGE@.conf; fi
# The folders of repomill.service. A file system without access control lists is reported, and needs a umask of 002 from who copies.
if [ -e /usr/lib/tmpfiles.d/@PACKAGE@.conf ] && command -v systemd-tmpfiles >/dev/null; then systemd-tmpfiles --create @PACKAGE@.conf || true; fi
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload || true
# An upgrade restarts running services, and starts no other.
case "$1 ${2:-}" in
"configure "?* | "2 ") systemctl try-restart @UNITS@ || true ;;
esac
