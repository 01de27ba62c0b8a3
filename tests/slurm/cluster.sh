#!/usr/bin/env bash
# A real Slurm on this one machine, for tests: `cluster.sh up` installs and starts it, `cluster.sh
# down` stops it. Debian, as root, without systemd or cgroups. Two character devices stand in for
# GPUs: Slurm hands them out and sets CUDA_VISIBLE_DEVICES as it would for cards.
set -euo pipefail

LAB=${LAB:-/tmp/otosynth-slurm}
HOST=$(hostname -s)
PACKAGES="munge slurm-client slurmctld slurmd"

refuse() {
    echo "ERROR: $1" >&2
    exit 1
}

install_packages() {
    # shellcheck disable=SC2086
    dpkg -s $PACKAGES >/dev/null 2>&1 && return
    command -v apt-get >/dev/null || refuse "the test cluster needs Debian's packages: $PACKAGES."
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $PACKAGES >"$LAB/install.log" 2>&1 ||
        refuse "installing $PACKAGES failed; see $LAB/install.log."
}

start_munge() {
    # /run is empty after a reboot, and the package does not make the folder.
    install -d -o munge -g munge -m 0755 /run/munge
    munge -n >/dev/null 2>&1 || runuser -u munge -- /usr/sbin/munged
}

configure() {
    # The configuration must lie at Slurm's default place: Snakemake's plug-in removes SLURM_CONF.
    cat >/etc/slurm/slurm.conf <<CONF
# otosynth test cluster
ClusterName=otosynth
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SlurmctldPidFile=$LAB/run/slurmctld.pid
SlurmdPidFile=$LAB/run/slurmd.pid
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/slurmd.log
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
# More cores than the machine has, so that jobs run side by side.
SlurmdParameters=config_overrides
MinJobAge=3600
KillWait=5
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
# Without cgroups it is Slurm's own accounting that kills a job over its memory.
JobAcctGatherParams=OverMemoryKill
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=16000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=$HOST Default=YES MaxTime=INFINITE DefaultTime=10 DefMemPerCPU=500 State=UP
PartitionName=gpu Nodes=$HOST MaxTime=INFINITE DefaultTime=10 DefMemPerCPU=500 State=UP
CONF
    for number in 0 1; do
        [ -e "$LAB/dev/gpu$number" ] || mknod "$LAB/dev/gpu$number" c 1 3
    done
    printf 'AutoDetect=off\nName=gpu File=%s/dev/gpu[0-1]\n' "$LAB" >/etc/slurm/gres.conf
}

up() {
    [ "$(id -u)" = 0 ] || refuse "the test cluster is started as root, as in a container."
    if [ -e /etc/slurm/slurm.conf ] && ! grep -q "otosynth test cluster" /etc/slurm/slurm.conf; then
        refuse "this machine belongs to a Slurm already (/etc/slurm/slurm.conf)."
    fi
    down
    mkdir -p "$LAB"
    install_packages
    mkdir -p "$LAB"/{run,log,state,spool,dev}
    start_munge
    configure
    slurmctld
    slurmd
    for _ in $(seq 150); do
        sinfo -h -o %T 2>/dev/null | grep -q idle && return
        sleep 0.2
    done
    refuse "Slurm did not start; see $LAB/log."
}

stop() {
    [ -s "$1" ] || return 0
    process=$(cat "$1")
    kill "$process" 2>/dev/null || return 0
    for _ in $(seq 50); do
        kill -0 "$process" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$process"
}

down() {
    # From a fresh state folder: a node that was once drained would stay so.
    scancel --user root 2>/dev/null || true
    stop "$LAB/run/slurmd.pid"
    stop "$LAB/run/slurmctld.pid"
    rm -rf "$LAB"
    if grep -qs "otosynth test cluster" /etc/slurm/slurm.conf; then
        rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
    fi
}

case "${1:-}" in
    up) up ;;
    down) down ;;
    *) refuse "say up or down." ;;
esac
