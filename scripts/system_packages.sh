#!/bin/sh
# Makes sure that the shared libraries behind OpenCV and Open3D are here.
#
#   scripts/system_packages.sh          what the live app needs
#   scripts/system_packages.sh test     and what the tests of windows, videos and MediaPipe need
#
# Installs what is missing where the user is root and apt-get exists; else names it in one line.
set -eu

quietly() { # shows what a command printed only when it fails
    log=$(mktemp)
    "$@" >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; exit 1; }
    rm -f "$log"
}

[ "$(uname -s)" = Linux ] || exit 0 # the wheels for macOS and Windows carry all they need

# library                Debian package    who needs it
needed='
libGL.so.1               libgl1            OpenCV, Open3D
libEGL.so.1              libegl1           Open3D without a display
libGLX_mesa.so.0         libglx-mesa0      Open3D in a window without a graphics card
libEGL_mesa.so.0         libegl-mesa0      Open3D without a display or a graphics card
libgthread-2.0.so.0      libglib2.0-0      OpenCV
libusb-1.0.so.0          libusb-1.0-0      Open3D
libudev.so.1             libudev1          Open3D
libgomp.so.1             libgomp1          Open3D
libX11.so.6              libx11-6          windows
libxcb.so.1              libxcb1           windows
libXext.so.6             libxext6          windows
libSM.so.6               libsm6            windows
libICE.so.6              libice6           windows
'

cache=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p)
libraries=$(echo "$needed" | while read -r library package _; do
    [ -n "$library" ] || continue
    case "$cache" in *"$library "*) ;; *) printf '%s ' "$package" ;; esac
done)
tools=
if [ "${1:-}" = test ]; then
    command -v Xvfb >/dev/null || tools="$tools xvfb"
    command -v xdotool >/dev/null || tools="$tools xdotool"
    command -v ffmpeg >/dev/null || tools="$tools ffmpeg" # makes the odd videos that the readers must read
    # Tests of the browser page; elsewhere, as on Ubuntu, the package is a snap that containers cannot run.
    if grep -qs '^ID=debian' /etc/os-release; then
        command -v chromium >/dev/null || tools="$tools chromium"
    fi
    case "$cache" in *"libGLESv2.so.2 "*) ;; *) tools="$tools libgles2" ;; esac # mediapipe
fi
missing="$libraries$tools"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "missing system libraries; Debian calls their packages: $missing" >&2
    exit 0 # other systems name them differently; Python will say what it really cannot load
fi
if [ "$(id -u)" != 0 ]; then
    echo "system packages are missing, paste this line and try again:" >&2
    echo "sudo apt-get install -y --no-install-recommends $missing" >&2
    [ -z "$libraries" ] || exit 1
    exit 0 # without the tools some tests skip themselves and say why
fi
echo "installing system packages: $missing"
export DEBIAN_FRONTEND=noninteractive
quietly apt-get update -qq
# shellcheck disable=SC2086 # a list of words
quietly apt-get install -y -qq --no-install-recommends $missing
