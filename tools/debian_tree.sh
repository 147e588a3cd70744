# shellcheck shell=bash
# Trees of a minimal Debian to try things in, for tools/try-fresh and tools/try-image. Sourced after
# tools/lib.sh, never run. Needs root.

# enter_debian_tree GOOD BAD KEEP ARGUMENT...: runs this script again with ARGUMENT..., inside namespaces of
# its own and with HERALD_TREE naming an empty directory, then removes that (unless KEEP is 1), says GOOD
# or BAD, and exits with the code of what ran inside. Inside, it returns at once.
#
# Mounts made in there exist for nobody else and are gone with the last process, and so is every process
# started in there. What is removed afterwards can therefore have nothing mounted in it.
enter_debian_tree() {
  local good=$1 bad=$2 tool inside code=0
  [[ -z ${HERALD_TREE:-} ]] || return 0
  [[ $(id -u) -eq 0 ]] || die "needs root (debootstrap, chroot)"
  for tool in debootstrap unshare git; do
    command -v "$tool" >/dev/null || die "$tool is missing: apt-get install debootstrap util-linux git"
  done
  [[ -z $(git -C "$HERALD_ROOT" status --porcelain --untracked-files=no) ]] ||
    say "note: uncommitted changes are not part of what is tried"
  keep_tree=$3
  shift 3
  new_tree=$(mktemp -d "${TMPDIR:-/tmp}/herald-$HERALD_SELF.XXXXXX")
  chmod 755 "$new_tree"
  trap remove_debian_tree EXIT

  # In the background, for a signal to be acted on at once: unshare's end is the end of all inside.
  HERALD_TREE=$new_tree unshare --mount --pid --fork --kill-child --propagation private \
    "$0" "$@" </dev/null &
  inside=$!
  # shellcheck disable=SC2064  # the pid of now
  trap "kill -KILL $inside; wait $inside 2>/dev/null || true; exit 130" INT
  # shellcheck disable=SC2064
  trap "kill -KILL $inside; wait $inside 2>/dev/null || true; exit 143" TERM HUP
  wait "$inside" || code=$?
  if ((code == 0)); then say "$good"; else say "$bad"; fi
  exit "$code"
}

remove_debian_tree() {
  rm -f "$new_tree.log"
  if ((keep_tree)); then
    say "the tree stays in $new_tree"
  elif grep -qF " $new_tree/" /proc/self/mountinfo; then
    say "something is mounted in $new_tree; not removing it"
  else
    rm -rf --one-file-system "$new_tree"
  fi
}

# make_debian_tree SUITE DIRECTORY LOG: a minimal Debian from the mirror of this machine (any Debian's archive has
# all suites), with the way out to the network that this machine has: its resolver, its apt proxy and
# transport settings, the certificate authorities that it was told to trust besides the usual ones.
make_debian_tree() {
  local debian=$1 into=$2 output=$3 mirror file
  # shellcheck disable=SC2016  # these are apt's own variables
  mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
    awk -F'|' '$1 == "Debian" && $2 == "Debian" && $3 ~ /^https?:/ { print $3; exit }')
  [[ -n $mirror ]] || die "apt knows no Debian mirror: add one to its sources, then apt-get update"
  step "debootstrap $debian from this machine's mirror" "$output" debootstrap --variant=minbase \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$debian" "$into" "$mirror" || exit 1
  cp -L /etc/resolv.conf "$into/etc/resolv.conf"
  for file in /etc/apt/apt.conf.d/* /etc/apt/apt.conf; do
    if [[ -f $file ]] && grep -q '^[[:space:]]*Acquire::' "$file"; then
      cp -L "$file" "$into/etc/apt/apt.conf.d/90host-$(basename "$file")"
    fi
  done
  for file in /usr/local/share/ca-certificates/*.crt; do
    if [[ -f $file ]]; then
      mkdir -p "$into/usr/local/share/ca-certificates"
      cp -L "$file" "$into/usr/local/share/ca-certificates/"
    fi
  done
}
