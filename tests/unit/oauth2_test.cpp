#include "bridge/credentials/oauth2.h"

#include <boost/test/unit_test.hpp>
#include <thread>

#include "bridge/poll/authorized_poller.h"
#include "tests/support/credential_desk.h"

using namespace orbridge;
using namespace std::chrono_literals;

namespace {

struct World : test::CredentialDesk {
    Guarded<std::vector<HttpRequest>> asked;
    std::function<Exchange(const HttpRequest&)> service = [](const HttpRequest&) { return given("access-1", 3600); };
    OAuth2Tokens tokens{book, clock, [this](HttpRequest request) {
                            asked.with([&](auto& all) { all.push_back(request); });
                            return service(request);
                        }};
    OAuth2Settings settings = [] {
        OAuth2Settings made;
        made.credentials = "desk";
        made.token_url = "https://login.example/token";
        return made;
    }();

    static Exchange given(const std::string& token, int lifetime, const std::string& refresh = {}) {
        JsonWriter json;
        json.object().member("access_token", token).member("token_type", "Bearer").member("expires_in", lifetime);
        if (!refresh.empty()) json.member("refresh_token", refresh);
        return answer(200, json.end().text());
    }
    static Exchange answer(int status, const std::string& body) {
        HttpResponse response;
        response.status = status;
        response.body = body;
        return response;
    }
    void keep(const std::string& values) {
        BOOST_REQUIRE(book.put({"oauth2", "desk"}, Secret(values), std::nullopt).has_value());
    }
    std::size_t count() const {
        return asked.with([](const auto& all) { return all.size(); });
    }
    std::string body(std::size_t index) const {
        return asked.with([&](const auto& all) { return all.at(index).body; });
    }
    CredentialRow::Verdict verdict() { return store.credentials().value().at(0).verdict; }
};

constexpr const char* kClient = R"({"client_id":"c d","client_secret":"S3CR3T:x"})";
constexpr const char* kRefresh = R"({"client_id":"c","refresh_token":"S3CR3T-r1"})";

std::string access_of(const Result<OAuth2Tokens::Token>& token) {
    return token ? token->access.reveal() : token.error().message;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(oauth2)

// RFC 6749 §4.4.2 and §2.3.1.
BOOST_FIXTURE_TEST_CASE(S12_client_credentials_are_shown_as_the_standard_has_it, World) {
    keep(kClient);
    settings.scope = "read write";
    BOOST_TEST(access_of(tokens.token(settings)) == "access-1");
    BOOST_TEST(body(0) == "grant_type=client_credentials&scope=read%20write");
    const auto request = asked.with([](const auto& all) { return all.at(0); });
    BOOST_TEST(*find_header(request.headers, "Authorization") == "Basic YyUyMGQ6UzNDUjNUJTNBeA==");
    settings.in_header = false;
    clock.advance(2h);
    BOOST_TEST(access_of(tokens.token(settings)) == "access-1");
    BOOST_TEST(body(1) == "grant_type=client_credentials&scope=read%20write&client_id=c%20d&client_secret=S3CR3T%3Ax");
}

BOOST_FIXTURE_TEST_CASE(S12_a_token_is_kept_until_the_margin_before_its_end, World) {
    keep(kClient);
    BOOST_TEST(access_of(tokens.token(settings)) == "access-1");
    clock.advance(3600s - 301s);
    BOOST_TEST(access_of(tokens.token(settings)) == "access-1");
    BOOST_TEST(count() == 1U);
    service = [](const HttpRequest&) { return given("access-2", 10); };
    clock.advance(2s);
    BOOST_TEST(access_of(tokens.token(settings)) == "access-2");
    clock.advance(4s);  // one that lives shorter than twice the margin: until half time
    BOOST_TEST(access_of(tokens.token(settings)) == "access-2");
    BOOST_TEST(count() == 2U);
    clock.advance(2s);
    tokens.token(settings).value();
    BOOST_TEST(count() == 3U);
}

BOOST_FIXTURE_TEST_CASE(S12_a_new_refresh_token_is_saved_and_used_after_a_restart, World) {
    keep(kRefresh);
    service = [](const HttpRequest&) { return given("access-1", 3600, "S3CR3T-r2"); };
    BOOST_TEST(access_of(tokens.token(settings)) == "access-1");
    BOOST_TEST(body(0) == "grant_type=refresh_token&refresh_token=S3CR3T-r1&client_id=c");
    store.restart();
    OAuth2Tokens after(book, clock, [this](HttpRequest request) {
        asked.with([&](auto& all) { all.push_back(request); });
        return given("access-2", 3600);
    });
    BOOST_TEST(access_of(after.token(settings)) == "access-1");
    clock.advance(1h);
    BOOST_TEST(access_of(after.token(settings)) == "access-2");
    BOOST_TEST(body(1) == "grant_type=refresh_token&refresh_token=S3CR3T-r2&client_id=c");
    clock.advance(1h);
    BOOST_TEST(access_of(after.token(settings)) == "access-2");  // none came with it: the last one counts on
    BOOST_TEST(body(2) == "grant_type=refresh_token&refresh_token=S3CR3T-r2&client_id=c");
}

BOOST_FIXTURE_TEST_CASE(S12_ten_that_ask_at_once_make_one_request, World) {
    keep(kRefresh);
    std::promise<void> open;
    const auto opened = open.get_future().share();
    std::atomic<int> arrived{0};
    service = [&](const HttpRequest&) {
        opened.wait();
        return given("access-1", 3600, "S3CR3T-r2");
    };
    std::vector<std::thread> threads;
    threads.reserve(10);
    Guarded<std::vector<std::string>> got;
    for (int i = 0; i < 10; ++i) {
        threads.emplace_back([&] {
            ++arrived;
            const auto token = tokens.token(settings);
            got.with([&](auto& all) { all.push_back(token ? token->access.reveal() : token.error().message); });
        });
    }
    while (arrived < 10 || count() < 1) std::this_thread::yield();
    open.set_value();
    for (auto& thread : threads) thread.join();
    BOOST_TEST(count() == 1U);
    got.with([](const auto& all) { BOOST_TEST((all == std::vector<std::string>(10, "access-1"))); });
}

BOOST_FIXTURE_TEST_CASE(S12_refused_credentials_are_marked_and_the_message_holds_no_secret, World) {
    keep(kRefresh);
    service = [](const HttpRequest&) {
        return answer(400, R"({"error":"invalid_grant","error_description":"S3CR3T-r1 is used up"})");
    };
    const auto token = tokens.token(settings);
    BOOST_REQUIRE(!token.has_value());
    BOOST_CHECK(token.error().kind == Error::Kind::Unauthorized);
    BOOST_TEST(token.error().message == "token request to https://login.example/token: HTTP 400, invalid_grant");
    BOOST_CHECK(verdict() == CredentialRow::Verdict::Refused);
    for (const auto& line : lines) BOOST_TEST(line.find("S3CR3T") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(S12_while_nobody_answers_a_token_is_used_to_its_end, World) {
    keep(kClient);
    tokens.token(settings).value();
    service = [](const HttpRequest&) { return answer(500, "S3CR3T"); };
    clock.advance(3400s);
    BOOST_TEST(access_of(tokens.token(settings)) == "access-1");
    clock.advance(201s);
    const auto token = tokens.token(settings);
    BOOST_REQUIRE(!token.has_value());
    BOOST_CHECK(token.error().kind == Error::Kind::Unavailable);
    BOOST_CHECK(verdict() == CredentialRow::Verdict::Valid);
}

BOOST_FIXTURE_TEST_CASE(S12_an_answer_without_a_bearer_token_is_none, World) {
    keep(kClient);
    for (const auto* body : {"", "[]", "{}", R"({"access_token":""})", R"({"access_token":5})",
                             R"({"access_token":"a","token_type":"mac"})"}) {
        service = [body](const HttpRequest&) { return answer(200, body); };
        const auto token = tokens.token(settings);
        BOOST_REQUIRE_MESSAGE(!token.has_value(), body);
        BOOST_CHECK(token.error().kind == Error::Kind::Unavailable);
    }
}

BOOST_FIXTURE_TEST_CASE(S12_a_token_that_is_refused_in_use_is_renewed_once, World) {
    keep(kClient);
    int round = 0;
    service = [&](const HttpRequest&) { return given("access-" + std::to_string(++round), 3600); };
    std::vector<std::string> shown;
    std::string good = "Bearer access-2";
    const auto send = with_oauth2(settings, tokens, book, [&](const HttpRequest& request) {
        shown.push_back(*find_header(request.headers, "authorization"));
        BOOST_TEST(count_header(request.headers, "authorization") == 1U);
        return answer(shown.back() == good ? 200 : 401, "");
    });
    HttpRequest request;
    request.headers = {{"Authorization", "Basic Og=="}};
    BOOST_TEST(std::get<HttpResponse>(send(request)).status == 200);
    BOOST_TEST((shown == std::vector<std::string>{"Bearer access-1", "Bearer access-2"}));
    BOOST_CHECK(verdict() == CredentialRow::Verdict::Valid);
    good = "nothing";
    BOOST_TEST(std::get<HttpResponse>(send(request)).status == 401);
    BOOST_TEST(shown.size() == 4U);
    BOOST_CHECK(verdict() == CredentialRow::Verdict::Refused);
}

namespace {
struct CountingPoller final : Poller {
    int& steps;
    explicit CountingPoller(int& counted) : steps(counted) {}
    PollStep step(const std::string&) override {
        ++steps;
        return {};
    }
    std::string reads() const override { return "list"; }
    std::vector<std::string> cannot_tell() const override { return {}; }
};
}  // namespace

BOOST_FIXTURE_TEST_CASE(S13_without_credentials_nothing_is_asked_and_the_trouble_says_so, World) {
    int steps = 0;
    AuthorizedPoller poller(settings, tokens, book, std::make_unique<CountingPoller>(steps));
    const auto step = poller.step("");
    BOOST_REQUIRE(step.trouble.has_value());
    BOOST_CHECK(step.trouble->kind == Trouble::Kind::Credentials);
    BOOST_TEST(step.trouble->message.find("credentials_required") == 0U);
    BOOST_TEST((steps == 0 && count() == 0U));
    keep(kClient);
    BOOST_TEST(!poller.step("").trouble.has_value());
    BOOST_TEST(steps == 1);
}

BOOST_AUTO_TEST_SUITE_END()
