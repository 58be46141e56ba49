// Makes the store's disk fail under a running host: preloaded, it stands before the system calls on the store's files. The file that CHANNELBRIDGE_TEST_FAULTS
// names says which fail now: "fsync" (flushes, EIO), "full" (writes, ENOSPC), "grow" (writes beyond a file's end, ENOSPC: a full disk whose allocated
// pages are still there), "readonly" (writes, EROFS: a file system that the kernel has mounted anew after a fault). An empty or missing file: none.
// CHANNELBRIDGE_TEST_FAULT_PATH says in which files: a part of their paths.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int of_store(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    const char *part = getenv("CHANNELBRIDGE_TEST_FAULT_PATH");
    if (part != NULL) return strstr(path, part) != NULL;
    return strstr(path, "channelbridge.db") != NULL && strstr(path, ".lock") == NULL;
}

static int armed(const char *fault)
{
    const char *control = getenv("CHANNELBRIDGE_TEST_FAULTS");
    if (control == NULL) return 0;
    long fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    char text[128];
    long length = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (length <= 0) return 0;
    text[length] = 0;
    return strstr(text, fault) != NULL;
}

static int refuse(int fd, const char *fault, int error)
{
    if (!of_store(fd) || !armed(fault)) return 0;
    errno = error;
    return 1;
}

static int unwritable(int fd) { return refuse(fd, "full", ENOSPC) || refuse(fd, "readonly", EROFS); }

int fsync(int fd) { return refuse(fd, "fsync", EIO) ? -1 : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return refuse(fd, "fsync", EIO) ? -1 : (int)syscall(SYS_fdatasync, fd); }

ssize_t write(int fd, const void *data, size_t size) { return unwritable(fd) ? -1 : syscall(SYS_write, fd, data, size); }

static int grows(int fd, size_t size, off64_t at)
{
    struct stat about;
    return fstat(fd, &about) == 0 && at + (off64_t)size > about.st_size && refuse(fd, "grow", ENOSPC);
}

int posix_fallocate64(int fd, off64_t at, off64_t size) { return grows(fd, (size_t)size, at) ? ENOSPC : syscall(SYS_fallocate, fd, 0, at, size) == 0 ? 0 : errno; }

int posix_fallocate(int fd, off_t at, off_t size) { return posix_fallocate64(fd, at, size); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    return grows(fd, size, at) ? -1 : syscall(SYS_pwritev, fd, parts, count, at, 0);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return unwritable(fd) || grows(fd, size, at) ? -1 : syscall(SYS_pwrite64, fd, data, size, at); }

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

// Who looks a function up in the C library by its handle would get past this library.
void *dlsym(void *handle, const char *name)
{
    static void *(*next)(void *, const char *);
    if (strcmp(name, "fsync") == 0) return (void *)fsync;
    if (strcmp(name, "fdatasync") == 0) return (void *)fdatasync;
    const char *versions[] = { "GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17" };
    for (int i = 0; next == NULL && i < 3; i++) *(void **)&next = dlvsym(RTLD_NEXT, "dlsym", versions[i]);
    return next(handle, name);
}
