#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/http/recipe.h"
#include "adapters/registry.h"
#include "bridge/adapt/loader.h"

/// Targets of the adapters that come with the program, made as the daemon makes them, with what they write and read.
namespace orbridge::test {

inline Adapters shipped() {
    Complaints complaints;
    auto all = load_adapters({ORBRIDGE_ROOT "/adapters"}, complaints);
    for (const auto& line : complaints.lines()) BOOST_TEST_MESSAGE(line);
    BOOST_REQUIRE(complaints.empty());
    return all;
}

/// A target of the configuration, made as the daemon makes it.
struct Made {
    Complaints complaints;
    std::unique_ptr<Recipe> recipe;
    const http_tasks::TaskRecipe& tasks() const { return dynamic_cast<const http_tasks::TaskRecipe&>(*recipe); }
};

inline std::unique_ptr<Made> make(const std::string& yaml, const AdapterHooks& hooks = {}) {
    auto made = std::make_unique<Made>();
    const auto root = ConfigNode::parse(yaml, "orbridge.yaml", made->complaints);
    auto policy = OutboundPolicy::make({});
    AdapterBox box{shipped(), std::make_shared<const OutboundPolicy>(std::move(*policy))};
    TargetSettings target{.id = {"there"}, .adapter = root.text("adapter"), .node = root};
    RouteSettings route;
    route.name = "r";
    route.to = {{"there"}};
    auto with_clock = hooks;
    with_clock.now = [] { return *from_iso8601("2013-05-24T00:00:00Z"); };
    made->recipe = make_recipe(target, {route}, box, with_clock);
    return made;
}

inline Delivery delivery_of(const std::string& payload) {
    Delivery delivery;
    delivery.id = {"0190-d"};
    delivery.target = {"there"};
    delivery.event.id = {"0190-e"};
    delivery.event.channel = "Object";
    delivery.event.event_name = "created:zaken:aanvraag:7f";
    delivery.event.payload = payload;
    return delivery;
}

inline std::string text_of(const HttpRequest& request) {
    std::string text = request.method + ' ' + request.url + '\n';
    for (const auto& header : request.headers) text += header.name + ": " + header.value + '\n';
    return text + '\n' + request.body;
}

inline std::string written(const Made& made, const std::string& payload = "{}") {
    for (const auto& line : made.complaints.lines()) BOOST_TEST_MESSAGE(line);
    BOOST_REQUIRE(made.complaints.empty());
    const auto request = made.recipe->request_for(delivery_of(payload), "r");
    return request ? text_of(*request) : "! " + request.error().message;
}

inline Outcome answered(const Made& made, int status, const std::string& body, Headers headers = {}) {
    HttpResponse response;
    response.status = status;
    response.body = body;
    response.headers = std::move(headers);
    return made.recipe->outcome_on(delivery_of("{}"), "r", response);
}

inline bool is_delivered(const Outcome& outcome) { return std::holds_alternative<Delivered>(outcome); }
inline bool is_rejected(const Outcome& outcome) { return std::holds_alternative<Rejected>(outcome); }
inline bool is_retry(const Outcome& outcome, Retry::Why why) {
    const auto* retry = std::get_if<Retry>(&outcome);
    return retry != nullptr && retry->why == why;
}
inline std::string reason_of(const Outcome& outcome) {
    if (const auto* rejected = std::get_if<Rejected>(&outcome)) return rejected->reason;
    if (const auto* retry = std::get_if<Retry>(&outcome)) return retry->reason;
    return {};
}

/// Answers with what it is told to, and keeps what it was asked.
class Answering final : public Transport {
public:
    void send(HttpRequest request, Done done) override {
        seen.push_back(std::move(request));
        if (answers.empty())
            return done({TransportFailure{TransportFailure::Reached::NothingSent, false, "refused"}, {}});
        auto answer = answers.front();
        answers.erase(answers.begin());
        done({std::move(answer), {}});
    }
    void poll(milliseconds) override {}
    void wake() override {}
    void stop() override {}
    std::vector<Exchange> answers;
    std::vector<HttpRequest> seen;
};

inline HttpResponse answer(int status, const std::string& body) {
    HttpResponse response;
    response.status = status;
    response.body = body;
    return response;
}

}  // namespace orbridge::test
