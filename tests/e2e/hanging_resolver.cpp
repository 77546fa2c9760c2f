/// Preloaded into the daemon by a test: names under `hang.test` are looked up for ever, all others as always.
#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

#include <string_view>

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
    using Lookup = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    if (node != nullptr && std::string_view(node).ends_with(".hang.test"))
        for (;;) pause();
    static const auto real = reinterpret_cast<Lookup>(dlsym(RTLD_NEXT, "getaddrinfo"));
    return real(node, service, hints, found);
}
