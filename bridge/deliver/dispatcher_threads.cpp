#include <utility>

#include "bridge/deliver/dispatcher.h"

/// The part of the dispatcher that has attempts carried out by threads.
namespace orbridge {

void Dispatcher::set_threads(AttemptThreads threads) { threads_ = std::move(threads); }

void Dispatcher::perform(const FlightPtr& flight) {
    // Until it is told of, the flight is the job's to read.
    const bool taken = threads_.run([this, flight] {
        const auto begun = clock_.now();
        Performance done{.flight = flight, .performed = {}, .duration = {}};
        done.performed =
            flight->recipe->perform(flight->claim.delivery, flight->claim.route, transport_, threads_stop_.get_token());
        done.duration = clock_.now() - begun;
        inbox_.with([&](Inbox& inbox) { inbox.performances.push_back(std::move(done)); });
        transport_.wake();
    });
    if (!taken) return no_thread_for(flight);
    performing_.insert(flight);
}

/// It stays due. Who else has deliveries for threads is no reason to ask the store in a circle.
void Dispatcher::no_thread_for(const FlightPtr& flight) {
    store_.release({flight->claim});
    flight->lane->due = clock_.now() + settings_.threads_pause;
    leave(flight);
}

void Dispatcher::performed(Performance performance) {
    const auto& flight = performance.flight;
    auto& came = performance.performed;
    performing_.erase(flight);
    flight->duration += performance.duration;
    if (came.not_begun) return give_back(flight);
    conclude(flight, came.outcome,
             Answered{.any = came.answered, .status = came.status, .text = std::move(came.answer)});
}

void Dispatcher::take_performances() {
    auto performances = inbox_.with([](Inbox& inbox) { return std::exchange(inbox.performances, {}); });
    for (auto& performance : performances) performed(std::move(performance));
}

/// What has not begun by now is nobody's attempt.
void Dispatcher::stop_threads() {
    if (!threads_.run) return;
    threads_.stop();
    take_performances();
    for (const auto& flight : std::exchange(performing_, {})) give_back(flight);
}

}  // namespace orbridge
