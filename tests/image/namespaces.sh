#!/bin/sh
# Makes the root of a container out of bind mounts and becomes the container: process 1 of its own namespaces, but for
# the network, which is the caller's, so that servers on its loopback are reached.
#   $1 an empty folder, for the root
#   $2 the folder that stands at /opt/storage-exporter
#   $3 the prefix of the Python it was made with; it stands where it is, and at /usr/local as in the image
#   $4 1: the root is read-only
#   $5 group of the empty volumes
#   $6 a file of lines "ro FOLDER PATH" and "empty BYTES PATH"
# and from $7 what to become.
set -eu
root=$1 environment=$2 prefix=$3 ro=$4 group=$5 plan=$6
shift 6

bound() {  # FOLDER PATH: read-only there
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    mount -o remount,bind,ro,nosuid "$root$2"
}

mount -t tmpfs -o size=1m,mode=755 root "$root"
cd "$root"
mkdir -p proc dev tmp etc opt var/lib run old
chmod 1777 tmp
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$name"; elif [ -d "/$name" ]; then bound "/$name" "/$name"; fi
done
bound /usr /usr
bound "$prefix" /usr/local
bound "$prefix" "$prefix"
[ ! -d /etc/ssl ] || bound /etc/ssl /etc/ssl
cp /etc/ld.so.cache etc/
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' > etc/passwd
printf '127.0.0.1 localhost\n' > etc/hosts
bound "$environment" /opt/storage-exporter
for device in null zero full random urandom; do
    : > "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mount -t proc -o nosuid,nodev,noexec proc proc
while read -r kind what path; do
    case $kind in
        ro) bound "$what" "$path" ;;
        empty)
            mkdir -p "$root$path"
            mount -t tmpfs -o "size=$what,mode=2777,gid=$group,nosuid,nodev" volume "$root$path"
            ;;
    esac
done < "$plan"
pivot_root . old
cd /
umount -l /old
rmdir /old
[ "$ro" = 0 ] || mount -o remount,bind,ro /
exec "$@"
