# Packages of Python for the scripts that drive a server, kept beside the build. To be sourced by a
# script that has set `target`, the folder of the build, and `name`, what it calls itself.

packages="$target/clients/packages"

fail() {
  echo "$name: $1" >&2
  exit 1
}

# Installs Debian packages where that is allowed, as in a container that runs the tests as root.
install() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    fail "$* missing; install with \`apt-get install $*\`"
  fi
  # The lists of packages may be missing, or too old.
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null ||
    fail "$* cannot be installed"
}

# Python with what environments of its own need.
require_python() {
  command -v python3 >/dev/null || fail "python3 is missing; install it"
  python3 -c 'import venv, ensurepip' 2>/dev/null || install python3-venv
}

# Installs what the files of requirements name. Packages of the first one are there for all scripts;
# where it has changed, everything is installed anew.
install_packages() {
  require_python
  if ! cmp -s "$1" "$packages/installed.txt"; then
    python3 -m venv --clear "$packages"
    pip_install "$1" "$packages/installed.txt"
  fi
  shift
  for requirements in "$@"; do
    installed="$packages/installed-$(basename "$(dirname "$requirements")").txt"
    cmp -s "$requirements" "$installed" || pip_install "$requirements" "$installed"
  done
}

pip_install() {
  "$packages/bin/python" -m pip install -q -r "$1" || fail "pip cannot install the packages of $1"
  cp "$1" "$2"
}
