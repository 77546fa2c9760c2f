#include "bridge/standby.h"

#include <boost/test/unit_test.hpp>

#include "bridge/core/json.h"
#include "tests/sockets/served.h"
#include "tests/support/temporary_folder.h"

using namespace orbridge;
using namespace orbridge::test;

namespace {

constexpr milliseconds kPoll{1'500};

InboundRequest request(std::string method, std::string path) {
    InboundRequest made;
    made.method = std::move(method);
    made.path = std::move(path);
    return made;
}

Answer answer(std::string method, std::string path, const StoreHolder& holder = {"node-a", 17}) {
    return standby_answer(request(std::move(method), std::move(path)), holder, kPoll);
}

/// A store that this process has, and a bridge that waits for it.
struct Waiting {
    Waiting() {
        settings.http = local_settings();
        settings.store.path = (folder.path / "orbridge.db").string();
        held = std::make_unique<FileLock>(std::move(FileLock::take(settings.store.path)).value());
        auto started = Standby::start(settings, log, -1);
        if (!started) throw std::runtime_error(started.error().message);
        standby = std::move(started).value();
    }
    int count(const std::string& message) const {
        int found = 0;
        for (const auto& line : lines)
            if (line.find(message) != std::string::npos) ++found;
        return found;
    }

    const TemporaryFolder folder;
    SystemClock clock;
    std::vector<std::string> lines;  ///< of one thread: nothing is served while it is looked at
    Log log{clock, Log::Level::Info, [this](const std::string& line) { lines.push_back(line); }};
    Settings settings;
    std::unique_ptr<FileLock> held;
    std::unique_ptr<Standby> standby;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(standby)

BOOST_AUTO_TEST_CASE(it_is_alive_and_not_ready_and_says_who_has_the_store) {
    BOOST_TEST(answer("GET", "/healthz").status == 200);
    const auto ready = answer("GET", "/readyz");
    BOOST_TEST(ready.status == 503);
    BOOST_TEST(*find_header(ready.headers, "Retry-After") == "2");
    const std::string start = R"({"ready":false,"standby":true,)";
    const std::string holder = R"("holder":{"host":"node-a","pid":17},)";
    const std::string check = R"("checks":{"store":{"ok":false,"detail":"this bridge stands by: another process has )";
    BOOST_TEST(ready.body == start + holder + check + "the store (pid 17 on node-a)\"}}}");
    BOOST_TEST(answer("GET", "/readyz", {}).body == start + check + "the store\"}}}");
    BOOST_TEST(answer("GET", "/metrics").body.ends_with("\norbridge_standby 1\n"));
}

BOOST_AUTO_TEST_CASE(whatever_else_is_asked_is_refused_and_may_come_again) {
    const std::vector<std::pair<std::string, std::string>> all = {
        {"POST", "/ingest/openregister"},
        {"PUT", "/ingest/x"},
        {"GET", "/ingest/x"},
        {"POST", "/x/webhookAPI/register"},
        {"GET", "/api/v1/status"},
        {"GET", "/ui/credentials"},
        {"POST", "/engine/api/w/main/jobs/run_wait_result/f/a"},
        {"GET", "/openapi.yaml"},
        {"POST", "/readyz"},
        {"DELETE", "/healthz"},
        {"GET", "/"}};
    for (const auto& [method, path] : all) {
        const auto refused = answer(method, path);
        BOOST_TEST(refused.status == 503, method << " " << path);
        BOOST_TEST(refused.body.starts_with(R"({"error":{"code":"standby","message":"this bridge stands by)"));
        BOOST_TEST(*find_header(refused.headers, "Retry-After") == "2");
    }
}

BOOST_AUTO_TEST_CASE(one_that_waits_serves_its_port_and_notices_when_the_store_is_free) {
    Waiting waiting;
    BOOST_TEST(!waiting.standby->store_is_free());
    BOOST_TEST(!waiting.standby->store_is_free());
    BOOST_TEST(waiting.count("bridge.standing_by") == 1, "said once, however often it looks");
    RawClient client(waiting.standby->port());
    client.send(get("/healthz"));
    BOOST_TEST(client.receive().status == 200);
    client.send(get("/readyz"));
    const auto ready = client.receive();
    BOOST_TEST(ready.status == 503);
    BOOST_TEST(ready.body.find("\"pid\":" + std::to_string(::getpid())) != std::string::npos);
    waiting.held.reset();
    BOOST_TEST(waiting.standby->store_is_free());
}

BOOST_AUTO_TEST_CASE(who_connects_while_one_takes_over_is_served_by_the_other) {
    Waiting waiting;
    HttpOptions options;
    auto socket = waiting.standby->socket();
    const int port = waiting.standby->port();
    waiting.standby.reset();
    RawClient client(port);  // nobody serves it yet, and it is not refused
    client.send(get("/next"));
    options.inherited_socket = socket.release();
    options.socket_outlives = false;
    Served next(local_settings(), {}, options);
    BOOST_TEST(next.server().port() == port);
    BOOST_TEST(client.receive().body == "/next");
}

BOOST_AUTO_TEST_SUITE_END()
