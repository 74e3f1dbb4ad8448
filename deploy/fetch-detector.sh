#!/usr/bin/env bash
# Fetch YuNet's weights against a pinned checksum: from opencv_zoo (MIT), its mirror, or their authors.
# With --check FILE nothing is fetched: is FILE those weights?
# Without them the product finds faces with OpenCV's Haar cascade: slower, and fewer small ones.
set -euo pipefail
cd "$(dirname "$0")/.."
file=models_tflite/face_detection_yunet_2023mar.onnx
sha256=8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4
urls=(
  "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx"
  "https://huggingface.co/opencv/face_detection_yunet/resolve/3cc26e7f1014a5ee5d74a42acee58bafc9d0a310/face_detection_yunet_2023mar.onnx"
  "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/02246e79b1e976c83d1e135a85e0628120c93769/onnx/yunet_s_640_640.onnx"
)

is_right() { [ -f "$1" ] && printf '%s  %s\n' "$sha256" "$1" | sha256sum -c --status; }

if [ "${1:-}" = --check ]; then is_right "$2"; exit; fi
is_right $file && exit 0
part=$(mktemp "$file.XXXXXX")
trap 'rm -f "$part"' EXIT
for url in "${urls[@]}"; do
  printf 'set-up: fetching the face detector from %s\n' "$(cut -d/ -f3 <<<"$url")"
  if curl -fsSL --connect-timeout 5 --max-time 30 -o "$part" "$url" 2>/dev/null && is_right "$part"; then
    chmod 644 "$part"
    mv "$part" $file
    exit 0
  fi
done
printf 'set-up: could not fetch it; faces are found with Haar. Run deploy/fetch-detector.sh again later, or put\nthe file at %s.\n' $file
