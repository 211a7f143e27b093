# What a scripts/peers/NAME is made of; sourced by it, not run. Each answers the same verbs:
#   describe   one line: what it is, and why the tests need it
#   missing    one line for each thing that is not there; nothing when it is ready
#   install    makes it ready; does nothing when it is
#   path       what a test starts: a program, or a virtual environment's python

set -euo pipefail
# shellcheck source=scripts/lib.bash
. "${BASH_SOURCE[0]%/*}/lib.bash"
name=${0##*/}

# python_peer WHY VERB: a virtual environment of its own with what NAME.txt pins beside the script.
python_peer() {
	local pins=${0%/*}/$name.txt venv=$cache/python/$name
	case $2 in
	describe) echo "$name: a Python virtual environment with what $name.txt pins, because $1" ;;
	path) echo "$venv/bin/python" ;;
	missing)
		if ! "$venv/bin/python" -c '' 2>/dev/null; then
			echo "no virtual environment in $venv"
		elif ! cmp -s "$pins" "$venv/installed.txt"; then
			echo "$venv does not hold what $name.txt pins"
		fi
		;;
	install)
		[ -n "$(python_peer "$1" missing)" ] || return 0
		local interpreter
		interpreter=$(python) || fail "$name: no python3 of at least 3.9 with venv; run scripts/setup"
		say "setup: $name: Python packages into $venv"
		"$interpreter" -m venv --clear "$venv"
		"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$pins" >&2
		cp "$pins" "$venv/installed.txt" # last: it says that all went well
		;;
	*) fail "usage: $0 describe|missing|install|path" ;;
	esac
}
