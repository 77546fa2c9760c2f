#include <algorithm>
#include <array>
#include <set>

#include "bridge/settings/sections.h"

namespace orbridge {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using Product = SubscriptionSettings::Product;
using Token = SubscriptionSettings::Token;

// Below it the clients that exist renew without pause: they ask for ten days and renew three days before the end.
constexpr milliseconds kLeaseMaxLeast = 864'000s;

constexpr std::array<std::string_view, 4> kTaken = {"api", "ingest", "engine", "ui"};  // our own paths begin so

/// Once a day at last, while the lease lasts.
std::vector<milliseconds> default_schedule() {
    std::vector<milliseconds> waits = {5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h};
    waits.insert(waits.end(), 14, 24h);
    return waits;
}

bool read_retry(const ConfigNode& node, bool fallback) {
    return node.word("retry", {"on", "off"}, fallback ? "on" : "off") == "on";
}

Product read_product(const ConfigNode& item, const Product& common) {
    auto product = common;
    if (!item.is_map()) {
        product.name = item.as_text().value_or("");
        return product;
    }
    product.name = item.text("name");
    product.retry = read_retry(item, common.retry);
    auto secrets = item.secrets("secret", false);
    if (!secrets.empty()) product.secrets = std::move(secrets);
    item.done();
    return product;
}

void check_product(const ConfigNode& node, const std::string& name, std::set<std::string>& names) {
    check_name(node, name);
    if (std::find(kTaken.begin(), kTaken.end(), name) != kTaken.end())
        node.complain("cannot be a product: /" + name + "/ is a path of orbridge itself");
    if (!names.insert(name).second) node.complain("there are two products of this name");
}

std::vector<Product> read_products(const ConfigNode& node, const Product& common) {
    const auto list = node["products"];
    if (!list.present()) return {common};
    std::vector<Product> products;
    std::set<std::string> names;
    for (const auto& item : list.one_or_list()) {
        products.push_back(read_product(item, common));
        check_product(item, products.back().name, names);
    }
    if (products.empty()) list.complain("must not be empty");
    return products;
}

/// Clients put tokens into the URL without encoding them.
void check_token(const ConfigNode& node, const Secret& token) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~@:-";
    const auto& text = token.reveal();
    if (text.size() < 16 || text.size() > 128 || text.find_first_not_of(kAlphabet) != std::string::npos)
        node.complain("not a token, expected 16 to 128 of A-Z, a-z, 0-9 and `. _ ~ @ : -`: clients do not encode it");
}

std::vector<Token> read_tokens(const ConfigNode& node) {
    const auto list = node["tokens"];
    if (list.present() && !list.is_list()) list.complain("expected a list, like [{name: billing, token_file: …}]");
    std::vector<Token> tokens;
    std::set<std::string> names;
    for (const auto& item : list.items()) {
        Token token{.name = item.text("name"), .values = item.secrets("token", true)};
        item.done();
        check_name(item, token.name);
        if (!names.insert(token.name).second) item.complain("there are two tokens of this name");
        for (const auto& value : token.values) check_token(item, value);
        tokens.push_back(std::move(token));
    }
    return tokens;
}

}  // namespace

SubscriptionSettings read_subscriptions(const ConfigNode& root) {
    SubscriptionSettings settings;
    const auto node = root["subscriptions"];
    if (!node.present()) return settings;
    settings.node = node;
    settings.products = read_products(node, {"openregister", read_retry(node, true), node.secrets("secret", false)});
    settings.tokens = read_tokens(node);
    settings.allow = node.texts("allow", {});
    settings.timeout = node.duration("timeout", settings.timeout, 10ms, 5min);
    settings.retry_after = node.durations("retry_after", default_schedule(), 1ms, days{7});
    settings.backfilled = node.flag("backfilled", settings.backfilled);
    settings.lease_max = node.duration("lease_max", settings.lease_max, kLeaseMaxLeast, days{3650});
    settings.grace = node.duration("grace", settings.grace, 0s, days{30});
    settings.active_max = node.integer("active_max", settings.active_max, 1, 1'000'000);
    settings.catch_up_rate = read_rate(node["catch_up_rate"], settings.catch_up_rate);
    settings.catch_up_events_max = node.integer("catch_up_events_max", settings.catch_up_events_max, 1, 100'000'000);
    settings.catch_up_waiting_max = node.integer("catch_up_waiting_max", settings.catch_up_waiting_max, 1, 1'000'000);
    settings.in_flight_max = static_cast<int>(node.integer("in_flight_max", settings.in_flight_max, 1, 20'000));
    node.done();
    return settings;
}

}  // namespace orbridge
