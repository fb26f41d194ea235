#!/bin/sh
# dpkg calls this with "remove" before a removal, rpm with 0.
set -e
case "$1" in
remove | 0) [ ! -d /run/systemd/system ] || systemctl disable --now @UNITS@ || true ;;
esac
