#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <system_error>

#include "bridge/cli/api.h"
#include "bridge/core/random.h"
#include "bridge/core/text.h"

namespace orbridge::cli {
namespace {

std::string make_key() {
    constexpr int kWords = 4;
    SystemRandom random;
    std::string bytes;
    for (int i = 0; i < kWords; ++i) {
        const auto bits = random.bits();
        bytes.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    }
    return to_base64(bytes);
}

/// Never over a file that is there: it may be the key that everything stored was sealed with.
Status write_new(const std::string& name, const std::string& text) {
    const auto problem = [&](const char* doing) {
        const auto why = std::error_code(errno, std::generic_category()).message();
        return Error{Error::Kind::Invalid, std::string("cannot ") + doing + ' ' + name + ": " + why};
    };
    const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) return problem("make");
    const bool written =
        ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
    const auto failed = written ? std::optional<Error>() : std::optional(problem("write"));
    ::close(file);
    if (failed) return *failed;
    return Ok{};
}

}  // namespace

/// Prints the key and nothing else, or puts it into a new file that only its owner can read.
int run_keygen(const Args& args) {
    const auto key = make_key();
    if (!args.has("out")) {
        std::cout << (args.json() ? JsonWriter().object().member("key", key).end().text() : key) << "\n";
        return kOk;
    }
    if (const auto written = write_new(args.get("out"), key + "\n"); !written) return fail(written.error());
    std::cout << (args.json() ? JsonWriter().object().member("file", args.get("out")).end().text()
                              : "written to " + args.get("out"))
              << "\n";
    return kOk;
}

}  // namespace orbridge::cli
