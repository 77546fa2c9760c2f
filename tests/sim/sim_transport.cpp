#include "tests/sim/sim_transport.h"

#include <ctime>
#include <string_view>
#include <utility>

namespace orbridge::sim {
namespace {

constexpr std::size_t kUuidLength = 36;
/// What a single failure takes at most: a timeout, and the longest first wait after it.
constexpr milliseconds kOneFailure{90'000};

std::string host_of(const std::string& url) {
    const auto start = url.find("://") + 3;
    return url.substr(start, url.find('/', start) - start);
}

/// The delivery's id is all that a run request, an inquiry and a plain request have in common.
DeliveryId delivery_of(const std::string& url) {
    for (const std::string_view mark : {"job_id=", "/get/"})
        if (const auto at = url.find(mark); at != std::string::npos) return {url.substr(at + mark.size(), kUuidLength)};
    return {url.substr(url.rfind('/') + 1)};
}

std::string http_date(TimePoint time) {
    const std::time_t at = std::chrono::floor<seconds>(time).time_since_epoch().count();
    std::tm parts{};
    gmtime_r(&at, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

TransportFailure failure(TransportFailure::Reached reached, const char* reason, bool timed_out = false) {
    return {reached, timed_out, reason};
}

/// The other side as a whole, not only what it was asked.
bool in_trouble(Fate fate) {
    switch (fate) {
        case Fate::Never:
        case Fate::Refused:
        case Fate::ResetBefore:
        case Fate::ResetAfter:
        case Fate::Trouble:
        case Fate::TroubleAfter:
        case Fate::Page: return true;
        default: return false;
    }
}

}  // namespace

const char* to_text(Fate fate) {
    static constexpr const char* kNames[kFates] = {
        "answered",      "answered late", "never answered", "refused", "reset before", "reset after", "503",
        "502 after all", "429",           "429 until",      "a page",  "unwanted",     "crash"};
    return kNames[static_cast<int>(fate)];
}

void SimTransport::add(const TargetId& target, OtherSide::Kind kind, Manner manner) {
    sides_.emplace(std::piecewise_construct, std::forward_as_tuple(target.value),
                   std::forward_as_tuple(target, kind, ledger_, std::move(manner)));
}

void SimTransport::calm() {
    for (auto& [name, side] : sides_) side.manner.clear();
}

void SimTransport::begin_life(std::function<void()> awake) {
    awake_ = std::move(awake);
    stopped_ = false;
}

void SimTransport::end_life() {
    awake_ = nullptr;
    pending_.clear();
}

milliseconds SimTransport::some(int least, int most) {
    return milliseconds{least + static_cast<int>(random_.bits() % static_cast<std::uint64_t>(most - least + 1))};
}

// ---- a request goes out ---------------------------------------------------------------------------

Fate SimTransport::draw(const Side& side) {
    if (nth_left_ > 0 && --nth_left_ == 0) {
        ledger_.disturb(kOneFailure);
        return nth_;
    }
    if (side.manner.empty()) return Fate::Answered;
    auto left = static_cast<int>(random_.bits() % 1'000);
    for (const auto& [fate, share] : side.manner) {
        left -= share;
        if (left < 0) return fate;
    }
    return Fate::Answered;
}

void SimTransport::send(HttpRequest request, Done done) {
    if (stopped_) return done({failure(TransportFailure::Reached::NothingSent, "stopped"), {}});
    Pending pending;
    pending.target = {host_of(request.url)};
    pending.delivery = delivery_of(request.url);
    pending.inquiry = request.method == "GET";
    pending.fate = draw(sides_.at(pending.target.value));
    pending.answer = std::make_shared<HttpResponse>();
    pending.done = std::move(done);
    pending.started = clock_.elapsed();
    if (pending.fate == Fate::CrashBefore) throw Crash{};
    ledger_.sent(pending.target, pending.delivery, pending.inquiry);
    trace_.say("fate", to_text(pending.fate));
    plan(std::move(pending), request.timeout);
}

void SimTransport::plan(Pending pending, milliseconds timeout) {
    const auto start = one_at_a_time_ ? std::max(clock_.elapsed(), busy_until_) : clock_.elapsed();
    auto takes = some(2, 200);
    if (pending.fate == Fate::AnsweredLate) takes = some(1'000, 15'000);
    if (pending.fate == Fate::Never) takes = timeout;
    const bool acts = pending.fate == Fate::Answered || pending.fate == Fate::AnsweredLate ||
                      pending.fate == Fate::ResetAfter || pending.fate == Fate::TroubleAfter ||
                      (pending.fate == Fate::Never && random_.bits() % 2 == 0);
    if (acts) plan_act(pending, start + (pending.fate == Fate::Never ? some(1, 40'000) : takes / 2));
    busy_until_ = start + takes;
    pending_.emplace(Key(start + takes, ++number_), std::move(pending));
    agenda_.at(start + takes, [this] { wake(); });
}

void SimTransport::plan_act(const Pending& pending, milliseconds when) {
    auto& other = sides_.at(pending.target.value).other;
    auto work = [&other, answer = pending.answer, id = pending.delivery, inquiry = pending.inquiry] {
        *answer = inquiry ? other.look_up(id) : other.run(id);
    };
    acts_.emplace(Key(when, ++number_), std::move(work));
    agenda_.at(when, [this] { run_acts(); });
}

void SimTransport::run_acts() {
    while (!acts_.empty() && acts_.begin()->first.first <= clock_.elapsed()) acts_.extract(acts_.begin()).mapped()();
}

// ---- and comes to an end --------------------------------------------------------------------------

void SimTransport::wake() {
    if (awake_) awake_();
}

void SimTransport::poll(milliseconds wait_max) {
    run_acts();
    if (wait_max > milliseconds{0} && !pending_.empty()) {
        const auto next = pending_.begin()->first.first;
        clock_.run_to(wait_max == kNoEnd ? next : std::min(next, clock_.elapsed() + wait_max));
        run_acts();
    }
    while (!pending_.empty() && pending_.begin()->first.first <= clock_.elapsed())
        finish(std::move(pending_.extract(pending_.begin()).mapped()));
}

void SimTransport::stop() {
    stopped_ = true;
    while (!pending_.empty()) {
        auto pending = std::move(pending_.extract(pending_.begin()).mapped());
        pending.fate = Fate::ResetBefore;
        finish(std::move(pending));
    }
}

void SimTransport::finish(Pending pending) {
    ExchangeEnd end;
    end.inquiry = pending.inquiry;
    auto exchange = exchange_of(pending, end);
    ledger_.ended(pending.target, pending.delivery, end);
    pending.done({std::move(exchange), clock_.elapsed() - pending.started});
}

HttpResponse SimTransport::limited(bool as_date, ExchangeEnd& end) {
    const auto wait = seconds{random_.bits() % 600};
    end.least_wait = std::max<milliseconds>(wait, seconds{60});
    const auto now = clock_.now();
    Headers headers = {{"Date", http_date(now)}};
    headers.push_back({"Retry-After", as_date ? http_date(now + wait) : std::to_string(wait.count())});
    return {.status = 429, .headers = std::move(headers), .body = "slow down"};
}

Exchange SimTransport::exchange_of(const Pending& pending, ExchangeEnd& end) {
    using Reached = TransportFailure::Reached;
    end.failed = in_trouble(pending.fate) || (pending.inquiry && pending.fate == Fate::Unwanted);
    end.unclear = pending.inquiry;  // whatever it was that was asked about is, unless the answer says otherwise
    switch (pending.fate) {
        case Fate::Answered:
        case Fate::AnsweredLate:
            end.arrived = pending.answer->status / 100 == 2 || pending.answer->status == 400;
            return *pending.answer;
        case Fate::Never:
            end.unclear = true;
            end.least_wait = seconds{60};
            return failure(Reached::Unclear, "no answer in time", true);
        case Fate::Refused: end.nothing_sent = true; return failure(Reached::NothingSent, "refused");
        case Fate::ResetBefore:
        case Fate::ResetAfter: end.unclear = true; return failure(Reached::Unclear, "reset");
        case Fate::Trouble: end.unclear = true; return HttpResponse{.status = 503, .headers = {}, .body = "no"};
        case Fate::TroubleAfter: end.unclear = true; return HttpResponse{.status = 502, .headers = {}, .body = "no"};
        case Fate::Limited:
        case Fate::LimitedUntil: return limited(pending.fate == Fate::LimitedUntil, end);
        case Fate::Page: return HttpResponse{.status = 200, .headers = {}, .body = "<html>Welcome</html>"};
        case Fate::Unwanted:
            end.final_no = !pending.inquiry;
            return HttpResponse{.status = 400, .headers = {}, .body = "Bad request: invalid json"};
        case Fate::CrashBefore: break;
    }
    return failure(Reached::NothingSent, "never begun");
}

}  // namespace orbridge::sim
