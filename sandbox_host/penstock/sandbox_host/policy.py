"""The system calls that a worker may make: a list, everything else is refused.

Built once, in the host, by libseccomp, and loaded as bytes by each worker: building in the worker
would cost milliseconds and put a C library between us and the kernel there. A refused call fails
with EPERM, so that library code which merely asks goes on without.

Signals go to the worker itself only. In a process namespace of its own no other process has a
number; without one every process of the machine has, so there no signal may be sent at all.
"""

import errno
import socket
import tempfile

_ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev close close_range lseek fstat newfstatat
stat lstat statx access faccessat faccessat2 openat open readlink readlinkat getdents64 getcwd
chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 ftruncate truncate
fsync fdatasync flock fallocate copy_file_range sendfile statfs fstatfs utimensat chmod fchmod
fchmodat umask link symlink linkat symlinkat dup dup2 dup3 pipe pipe2 eventfd2 epoll_create1
epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect6 sendto recvfrom sendmsg
recvmsg shutdown getsockopt setsockopt getsockname getpeername munmap mremap madvise brk mincore
futex set_robust_list get_robust_list rseq sched_yield sched_getaffinity membarrier
sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority exit
exit_group rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait rt_sigpending rt_sigsuspend
sigaltstack pause gettid getpid getppid getuid geteuid getgid getegid getresuid getresgid
getgroups getpgrp getpgid getsid clock_gettime clock_getres clock_nanosleep nanosleep
gettimeofday time times getrusage getrlimit sysinfo uname getrandom getcpu restart_syscall
arch_prctl set_tid_address setitimer getitimer alarm wait4 waitid capget
"""

_THREAD_FLAGS = 0x00010000 | 0x100 | 0x800
"""CLONE_THREAD, CLONE_VM, CLONE_SIGHAND: together they make a thread and nothing else."""
_NAMESPACE_FLAGS = 0x7E020000 | 0x00002000
_PRCTL = (3, 15, 16, 21, 23, 39)
"""PR_GET_DUMPABLE, SET_NAME, GET_NAME, GET_SECCOMP, CAPBSET_READ, GET_NO_NEW_PRIVS."""
_IOCTL = (0x541B, 0x5421, 0x5450, 0x5451, 0x5401)
"""FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS."""
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
_PROT_WRITE, _PROT_EXEC, _MAP_ANONYMOUS = 2, 4, 0x20


def build_filter(*, has_own_processes: bool) -> bytes:
    """The filter as the kernel takes it; `ImportError` or `OSError` without libseccomp."""
    import pyseccomp as sc

    rules = sc.SyscallFilter(defaction=sc.ERRNO(errno.EPERM))
    rules.set_attr(sc.Attr.CTL_OPTIMIZE, 2)
    for name in _ALLOWED.split():
        rules.add_rule(sc.ALLOW, name)
    # "No such call" makes libraries fall back to calls that the list knows.
    for name in ("clone3", "io_uring_setup"):
        rules.add_rule(sc.ERRNO(errno.ENOSYS), name)
    if has_own_processes:
        rules.add_rule(sc.ALLOW, "tgkill")
        rules.add_rule(sc.ALLOW, "kill", sc.Arg(0, sc.EQ, 1))
    _add_arguments(rules, sc)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _add_arguments(rules: object, sc: object) -> None:
    """The calls that are allowed by what they are given."""

    def allow(name: str, *conditions: object) -> None:
        rules.add_rule(sc.ALLOW, name, *conditions)  # type: ignore[attr-defined]

    def masked(index: int, mask: int, value: int) -> object:
        return sc.Arg(index, sc.MASKED_EQ, mask, value)  # type: ignore[attr-defined]

    def equal(index: int, value: int) -> object:
        return sc.Arg(index, sc.EQ, value)  # type: ignore[attr-defined]

    allow("clone", masked(0, _THREAD_FLAGS | _NAMESPACE_FLAGS, _THREAD_FLAGS))
    allow("socketpair", equal(0, socket.AF_UNIX))
    for name, index, values in (("prctl", 0, _PRCTL), ("ioctl", 1, _IOCTL), ("fcntl", 1, _FCNTL)):
        for value in values:
            allow(name, equal(index, value))
    allow("prlimit64", equal(0, 0), equal(2, 0))
    # Nothing is writable and executable: extension modules are mapped from read-only files.
    both = _PROT_WRITE | _PROT_EXEC
    allow("mmap", masked(2, both, 0))
    allow("mmap", masked(2, both, _PROT_WRITE))
    allow("mmap", masked(2, both, _PROT_EXEC), masked(3, _MAP_ANONYMOUS, 0))
    allow("mprotect", masked(2, _PROT_EXEC, 0))
