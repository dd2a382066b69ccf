# Sourced by the scripts beside it: what a script needs, and how it gets here.
# shellcheck shell=bash

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache
mkdir -p "$cache/bin"
export LC_ALL=C

say() { printf '%s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# as_root runs a command as root, or fails without asking for a password.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}
can_root() { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }

# want COMMAND DEBIAN-PACKAGES HOMEBREW-PACKAGES notes what install_wanted is to
# install where COMMAND is missing; "-" where that system has no such package.
wanted=""
wanted_apt=""
wanted_brew=""
want() {
	have "$1" && return
	wanted="$wanted $1"
	[ "$2" = - ] || wanted_apt="$wanted_apt $2"
	[ "$3" = - ] || wanted_brew="$wanted_brew $3"
}

# install_wanted installs what want noted, says so, and never fails: whoever
# needs a command asks for it again and skips its part.
install_wanted() {
	[ -n "$wanted" ] || return 0
	if have apt-get && can_root; then
		apt_install
	elif have brew; then
		brew_install
	else
		say "set-up: cannot install$wanted: no root (or sudo without a password) with apt-get, and no Homebrew"
	fi
	wanted=""
	wanted_apt=""
	wanted_brew=""
}

apt_install() {
	[ -n "$wanted_apt" ] || return 0
	say "set-up: installing with apt-get:$wanted_apt"
	as_root apt-get update -qq >/dev/null || say "set-up: apt-get update failed"
	# One package that this release doesn't have must not keep the others away.
	# shellcheck disable=SC2086 # words are packages
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted_apt >/dev/null ||
		for package in $wanted_apt; do
			as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
				say "set-up: apt-get has no $package"
		done
}

brew_install() {
	[ -n "$wanted_brew" ] || return 0
	say "set-up: installing with brew:$wanted_brew"
	for package in $wanted_brew; do
		brew install --quiet "$package" >/dev/null || say "set-up: brew has no $package"
	done
}

# need_go stops the script where there is no Go: everything here is built with it.
need_go() {
	if ! have go && [ -x /usr/local/go/bin/go ]; then
		PATH=$PATH:/usr/local/go/bin
	fi
	if ! have go; then
		say "Go is missing. Install Go 1.26 or later from https://go.dev/dl/ and run this again."
		exit 1
	fi
	# A Go that is older than go.mod asks for fetches the one that it needs; the
	# first command that fails to says why.
	(cd "$root" && go version >/dev/null)
}
