# For the scripts beside it, which need compilers for other systems: Debian packages them, each with
# the source or the binaries of a standard library that fit. To be sourced.

# Installs the packages that are missing among those named, and says so only if it fails.
need_packages() {
    local missing=() package as_root=() log
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    log=$(mktemp)
    if ! {
        "${as_root[@]}" apt-get update &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "could not install: ${missing[*]}" >&2
        return 1
    fi
    rm -f "$log"
}

# Whatever other compilers are installed, these two belong to the packages above.
use_debian_rust() {
    CARGO=/usr/bin/cargo
    export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
    unset RUSTC_WRAPPER RUSTFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET
}
