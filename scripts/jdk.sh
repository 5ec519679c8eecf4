# Finds a JDK for the scripts beside it. Source it and call find_jdk; needs bash.

# The oldest release of Java that Kagami runs on.
KAGAMI_JAVA_RELEASE=25

# Prints the feature release of the JDK in directory $1, for example 25; fails when there is no JDK.
jdk_release() {
    local home=$1 line version=
    [[ -x $home/bin/java && -x $home/bin/javac ]] || return 1
    if [[ -r $home/release ]]; then
        while IFS= read -r line; do
            if [[ $line =~ ^JAVA_VERSION=\"?([0-9]+) ]]; then
                version=${BASH_REMATCH[1]}
            fi
        done <"$home/release"
    fi
    if [[ -z $version ]]; then
        line=$("$home/bin/java" -version 2>&1) || return 1
        [[ $line =~ version\ \"([0-9]+) ]] || return 1
        version=${BASH_REMATCH[1]}
    fi
    printf '%s\n' "$version"
}

# Prints the home of the first JDK that is new enough: the one asked for by KAGAMI_JAVA_HOME, then JAVA_HOME, `java` on
# the PATH, and the directories where systems and version managers keep theirs. Fails when there is none, after a
# message on stderr.
find_jdk() {
    local home release
    if [[ -n ${KAGAMI_JAVA_HOME:-} ]]; then
        if release=$(jdk_release "$KAGAMI_JAVA_HOME") && ((release >= KAGAMI_JAVA_RELEASE)); then
            printf '%s\n' "$KAGAMI_JAVA_HOME"
            return 0
        fi
        echo "kagami: KAGAMI_JAVA_HOME=$KAGAMI_JAVA_HOME is not a JDK $KAGAMI_JAVA_RELEASE or newer" >&2
        return 1
    fi
    local -a candidates=()
    [[ -z ${JAVA_HOME:-} ]] || candidates+=("$JAVA_HOME")
    local java
    if java=$(command -v java) && java=$(readlink -f -- "$java" 2>/dev/null); then
        candidates+=("${java%/bin/java}")
    fi
    # Patterns that match nothing stay as they are and fail the test for bin/java.
    candidates+=(/usr/lib/jvm/* /usr/lib64/jvm/* /usr/java/* /opt/java/* /opt/*jdk* /opt/*/*jdk* /usr/local/*jdk*
        "${HOME:-/}"/.sdkman/candidates/java/* "${HOME:-/}"/.jdks/* "${HOME:-/}"/.gradle/jdks/*
        "${HOME:-/}"/.local/share/mise/installs/java/* "${HOME:-/}"/.asdf/installs/java/*
        /Library/Java/JavaVirtualMachines/*/Contents/Home /opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home)
    for home in "${candidates[@]}"; do
        if release=$(jdk_release "$home") && ((release >= KAGAMI_JAVA_RELEASE)); then
            printf '%s\n' "$home"
            return 0
        fi
    done
    cat >&2 <<END
kagami: needs a JDK $KAGAMI_JAVA_RELEASE or newer, and found none.
  Looked at JAVA_HOME${JAVA_HOME:+ ($JAVA_HOME)}, java on the PATH, /usr/lib/jvm, ~/.sdkman, ~/.jdks and the like.
  Install one (Debian 13 and Ubuntu: apt install openjdk-$KAGAMI_JAVA_RELEASE-jdk-headless; Fedora: dnf install
  java-$KAGAMI_JAVA_RELEASE-openjdk-devel; anywhere: unpack Eclipse Temurin $KAGAMI_JAVA_RELEASE), or set KAGAMI_JAVA_HOME to its directory.
END
    return 1
}
