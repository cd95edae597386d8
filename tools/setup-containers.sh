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
    step "Installing$missing_packages (for container mode)" packages "$@"
}

missing_packages=$(missing)
[ -n "$missing_packages" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086
    install $missing_packages || true
    missing_packages=$(missing)
    [ -n "$missing_packages" ] || exit 0
fi
echo "container mode needs:$missing_packages (on Debian: sudo apt-get install$missing_packages); without, pods are plain processes" >&2
exit 1
