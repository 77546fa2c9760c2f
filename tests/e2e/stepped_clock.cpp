/// Preloaded into the daemon by a test: its wall clock is set by so many milliseconds as stand in a file, whenever that
/// changes. The clock that only goes forward is left alone.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

/// The file's eight bytes, in this machine's order; 0 if it cannot be read.
std::int64_t offset_ms() {
    static const volatile auto* const shared = []() -> const volatile std::int64_t* {
        const char* path = std::getenv("ORBRIDGE_TEST_CLOCK");
        const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) return nullptr;
        void* const mapped = mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
        close(file);
        return mapped == MAP_FAILED ? nullptr : static_cast<const volatile std::int64_t*>(mapped);
    }
    ();
    return shared == nullptr ? 0 : *shared;
}

}  // namespace

extern "C" int clock_gettime(clockid_t which, timespec* now) {
    using Read = int (*)(clockid_t, timespec*);
    static const auto real = reinterpret_cast<Read>(dlsym(RTLD_NEXT, "clock_gettime"));
    const int result = real(which, now);
    if (result == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        const auto offset = offset_ms();
        now->tv_sec += offset / 1'000;
        now->tv_nsec += offset % 1'000 * 1'000'000;
        const long second = 1'000'000'000;
        if (now->tv_nsec >= second || now->tv_nsec < 0) {
            now->tv_sec += now->tv_nsec < 0 ? -1 : 1;
            now->tv_nsec += now->tv_nsec < 0 ? second : -second;
        }
    }
    return result;
}
