#!/bin/sh
# dpkg calls it with "configure" and the version that was configured before, rpm with the number of versions there are.
set -e
# Where there is no systemd-sysusers, the unit's DynamicUser makes the user.
if command -v systemd-sysusers >/dev/null; then systemd-sysusers @PACKAGE@.conf; fi
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload || true
# An upgrade restarts a service that runs, and starts none that does not.
case "$1 ${2:-}" in
"configure "?* | "2 ") systemctl try-restart @UNIT@ || true ;;
esac
