#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>

#include "bridge/store/file_lock.h"
#include "tests/support/temporary_folder.h"

using namespace orbridge;
using namespace orbridge::test;

namespace {

std::string store_in(const TemporaryFolder& folder) { return (folder.path / "orbridge.db").string(); }

bool can_take(const std::string& store) { return static_cast<bool>(FileLock::take(store)); }

}  // namespace

BOOST_AUTO_TEST_SUITE(file_lock)

BOOST_AUTO_TEST_CASE(a_second_one_is_refused_until_the_first_is_gone) {
    const TemporaryFolder folder;
    {
        const auto first = FileLock::take(store_in(folder));
        BOOST_REQUIRE(first);
        const auto second = FileLock::take(store_in(folder));
        BOOST_REQUIRE(!second);
        BOOST_TEST((second.error().kind == Error::Kind::Conflict));
        BOOST_TEST(second.error().message == "the store " + store_in(folder) +
                                                 " is in use by another process: only one orbridge may have it open");
    }
    BOOST_TEST(can_take(store_in(folder)));
}

BOOST_AUTO_TEST_CASE(who_has_it_can_be_asked_without_taking_it) {
    const TemporaryFolder folder;
    BOOST_TEST(!FileLock::holder(store_in(folder)));
    {
        const auto lock = FileLock::take(store_in(folder));
        const auto holder = FileLock::holder(store_in(folder));
        BOOST_REQUIRE(holder.has_value());
        BOOST_TEST(holder->pid == ::getpid());
        BOOST_TEST(!holder->host.empty());
    }
    BOOST_TEST(!FileLock::holder(store_in(folder)));
    BOOST_TEST(can_take(store_in(folder)));
}

BOOST_AUTO_TEST_CASE(a_holder_that_did_not_say_who_it_is_holds_it_all_the_same) {
    const TemporaryFolder folder;
    for (const auto* text : {"", "12", "12 host-without-end", "x host\n", "1x host\n", "\n \n"}) {
        const auto lock = FileLock::take(store_in(folder));
        std::ofstream(store_in(folder) + ".lock") << text;
        const auto holder = FileLock::holder(store_in(folder));
        BOOST_REQUIRE(holder.has_value());
        BOOST_TEST((*holder == StoreHolder{}), "from: " << text);
    }
}

BOOST_AUTO_TEST_CASE(it_is_free_as_soon_as_its_process_is_killed) {
    const TemporaryFolder folder;
    std::array<int, 2> ready{};
    BOOST_REQUIRE(::pipe(ready.data()) == 0);
    const auto child = ::fork();
    if (child == 0) {  // no allocation is safe here under a sanitizer but what take() needs; it has no other thread
        const auto lock = FileLock::take(store_in(folder));
        const char said = lock ? 'y' : 'n';
        [[maybe_unused]] const auto written = ::write(ready[1], &said, 1);
        for (;;) ::pause();
    }
    char said = 0;
    BOOST_REQUIRE(::read(ready[0], &said, 1) == 1);
    BOOST_TEST(said == 'y');
    BOOST_TEST(!can_take(store_in(folder)));
    BOOST_TEST(FileLock::holder(store_in(folder))->pid == child);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    BOOST_TEST(can_take(store_in(folder)));
    ::close(ready[0]);
    ::close(ready[1]);
}

BOOST_AUTO_TEST_CASE(a_program_that_is_started_does_not_inherit_it) {
    const TemporaryFolder folder;
    pid_t child = -1;
    {
        const auto lock = FileLock::take(store_in(folder));
        child = ::fork();
        if (child == 0) {
            ::execl("/bin/sleep", "sleep", "300", nullptr);
            ::_exit(1);
        }
        // The child is another program from when its descriptors that end at exec are gone.
        const auto comm = "/proc/" + std::to_string(child) + "/comm";
        std::string name;
        while (name != "sleep" && ::waitpid(child, nullptr, WNOHANG) == 0) std::getline(std::ifstream(comm), name);
        BOOST_REQUIRE(name == "sleep");
    }
    BOOST_TEST(can_take(store_in(folder)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_said_to_be_so) {
    const auto lock = FileLock::take("/nowhere/at/all/orbridge.db");
    BOOST_REQUIRE(!lock);
    BOOST_TEST((lock.error().kind == Error::Kind::Invalid));
    BOOST_TEST(lock.error().message.find("/nowhere/at/all/orbridge.db.lock") != std::string::npos);
    BOOST_TEST(!FileLock::holder("/nowhere/at/all/orbridge.db"));
}

BOOST_AUTO_TEST_SUITE_END()
