#!/bin/sh
# What container mode needs of the machine, from Debian's own packages. As root what is missing is installed, otherwise
# it is named; without it Homeostat runs plain processes. Exit code 1 when something is missing in the end. VENV is the
# virtual environment's folder, where the log goes.
#
# The packages bring services (containerd, sshd, etcd) that the machine did not ask for: nodes run their own. So while
# they are installed, what starts and enables services does nothing. Services that are there already are left alone.
set -eu
: "${VENV:=.venv}"
. "$(dirname "$0")/steps.sh"

wanted="containerd:containerd runc:runc /usr/lib/cni/bridge:containernetworking-plugins etcd:etcd-server
    etcdctl:etcd-client busybox:busybox catatonit:catatonit nft:nftables iptables:iptables conntrack:conntrack
    sshd:openssh-server ssh:openssh-client ip:iproute2 newuidmap:uidmap nsenter:util-linux"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing() {
    for each in $wanted; do
        command -v "${each%%:*}" >/dev/null || printf ' %s' "${each#*:}"
    done
}

install() {
    quiet=$(mktemp -d)
    trap 'rm -rf "$quiet"' EXIT
    for name in invoke-rc.d deb-systemd-invoke deb-systemd-helper update-rc.d; do
        printf '#!/bin/sh\nexit 0\n' >"$quiet/$name"
        chmod 755 "$quiet/$name"
    done
    set -- --no-install-recommends -o "DPkg::Path=$quiet:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" "$@"
    step "Installing$wanted_packages (for container mode)" packages "$@"
}

# The busybox image is made of the machine's busybox. The shell of Debian's static one runs its own `wget`, which crashes
# with -T; the image's own is found by that of the package `busybox`. Container mode works with either: so the static
# package is replaced by apt, which takes one for the other, and only one try is made for each virtual environment.
better() {
    if [ -e "$VENV/busybox-tried" ] || ! dpkg -s busybox-static >/dev/null 2>&1; then
        return
    fi
    : >"$VENV/busybox-tried"
    printf ' busybox'
}

missing_packages=$(missing)
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    wanted_packages=$missing_packages$(better)
    [ -n "$wanted_packages" ] || exit 0
    # shellcheck disable=SC2086
    install $wanted_packages || true
    missing_packages=$(missing)
fi
[ -n "$missing_packages" ] || exit 0
echo "container mode needs:$missing_packages (on Debian: sudo apt-get install$missing_packages); without, pods are plain processes" >&2
exit 1
