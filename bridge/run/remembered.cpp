#include "bridge/run/remembered.h"

#include <charconv>

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge {

Status Remembered::load() {
    auto note = store_.note(key_);
    if (!note) return note.error();
    texts_.clear();
    changed_ = false;
    if (!*note) return Ok{};
    const auto document = JsonDocument::parse(**note);
    if (!document) return Ok{};  // a note of another version: as if nothing was known
    for (const auto& member : (*document)->root().members())
        if (auto text = member.value.string()) texts_[member.key] = *text;
    return Ok{};
}

Status Remembered::save() {
    if (!changed_) return Ok{};
    JsonWriter json;
    json.object();
    for (const auto& [name, text] : texts_) json.member(name, text);
    json.end();
    auto saved = store_.set_note(key_, json.text());
    if (saved) changed_ = false;
    return saved;
}

std::string Remembered::get(const std::string& name) const {
    const auto found = texts_.find(name);
    return found == texts_.end() ? std::string() : found->second;
}

void Remembered::set(const std::string& name, const std::string& value) {
    auto& text = texts_[name];
    changed_ = changed_ || text != value;
    text = value;
}

void Remembered::erase(const std::string& name) { changed_ = texts_.erase(name) > 0 || changed_; }

void Remembered::clear() {
    changed_ = changed_ || !texts_.empty();
    texts_.clear();
}

std::map<std::string, std::string> Remembered::beginning(std::string_view prefix) const {
    std::map<std::string, std::string> found;
    for (const auto& [name, text] : texts_)
        if (name.starts_with(prefix)) found[name.substr(prefix.size())] = text;
    return found;
}

void Remembered::set_time(const std::string& name, TimePoint time) {
    set(name, std::to_string(time.time_since_epoch().count()));
}

std::optional<TimePoint> Remembered::time(const std::string& name) const {
    const auto text = get(name);
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return TimePoint{milliseconds{count}};
}

std::string fingerprint(const Secret& secret, std::string_view purpose) {
    return to_hex(hmac_sha256(secret.reveal(), "orbridge fingerprint " + std::string(purpose)));
}

}  // namespace orbridge
