# What the scripts share; sourced, not run.

# A bare machine may have Go unpacked and not yet in PATH.
PATH=$PATH:/usr/local/go/bin

# shellcheck disable=SC2034 # used by what sources this
cache=${XDG_CACHE_HOME:-$HOME/.cache}/muster

say() { printf '%s\n' "$*" >&2; }

fail() {
	say "$*"
	exit 1
}

# python prints an interpreter that can make virtual environments, or fails.
python() {
	local candidate
	for candidate in python3 /usr/bin/python3; do
		if "$candidate" -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 9)' 2>/dev/null; then
			command -v "$candidate"
			return
		fi
	done
	return 1
}

# apt_install installs Debian packages, without what they merely recommend and without starting a service.
apt_install() {
	[ "$(id -u)" = 0 ] || fail "setup: needs root for: apt-get install $*"
	command -v apt-get >/dev/null || fail "setup: no apt-get here; install by hand: $*"
	say "setup: apt-get install $*"
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
		# shellcheck disable=SC2064 # the path is meant to be expanded now
		trap "rm -f '$policy'" EXIT
	fi
	local told
	if ! told=$(apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@" 2>&1); then
		fail "$told"
	fi
}
