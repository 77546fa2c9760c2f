#include "tests/support/fake_openregister.h"

#include <algorithm>

#include "bridge/core/json.h"
#include "bridge/core/text.h"

namespace orbridge::testing {
namespace {

std::string object_text(const FakeOpenRegister::Values& values) {
    JsonWriter json;
    json.object();
    for (const auto& [key, value] : values) json.member_raw(key, value);
    json.end();
    return json.text();
}

std::string changed(const FakeOpenRegister::Values& before, const FakeOpenRegister::Values& after) {
    JsonWriter json;
    json.object();
    for (const auto& [key, value] : after) {
        const auto old = before.find(key);
        const std::string old_text = old == before.end() ? "null" : old->second;
        if (old_text != "null" && old_text == value) continue;
        json.key(key).object().member_raw("old", old_text).member_raw("new", value).end();
    }
    json.end();
    return json.text();
}

std::string at(int clock) {
    char text[40];
    std::snprintf(text, sizeof text, "2026-03-02T%02d:%02d:%02d+00:00", clock / 3600 % 24, clock / 60 % 60, clock % 60);
    return text;
}

std::size_t number(const std::string& query, const char* name) {
    return static_cast<std::size_t>(std::stoll("0" + query_value(query, name)));
}

HttpResponse ok(std::string body) { return {.status = 200, .body = std::move(body)}; }

}  // namespace

openregister::ApiClient FakeOpenRegister::client() {
    SourceAccess access;
    access.base = "http://nextcloud.test";
    return {access, [this](const HttpRequest& request) -> Exchange {
                requests.push_back(request.url.substr(request.url.find("/api/")));
                if (fails(request))
                    return HttpResponse{.status = 500, .body = R"({"message":"Internal Server Error"})"};
                return answer(request);
            }};
}

HttpResponse FakeOpenRegister::answer(const HttpRequest& request) {
    const auto question = request.url.find('?');
    const auto query = question == std::string::npos ? std::string() : request.url.substr(question + 1);
    const auto has = [&](const char* part) { return request.url.find(part) != std::string::npos; };
    if (has("/api/registers")) return ok(R"({"results":[{"id":3,"slug":"r","schemas":["12"]}]})");
    if (has("/api/objects/3/12?")) return list(query);
    if (has("/api/audit-trails") && has_audit) return audit(query);
    if (has("/api/realtime/events") && has_realtime) return realtime(query);
    if (has("/api/realtime/cursor") && has_realtime)
        return ok("{\"cursor\":" + std::to_string(realtime_.empty() ? 0 : realtime_.back().first) + "}");
    return {.status = 404, .body = "<!DOCTYPE html>"};
}

HttpResponse FakeOpenRegister::audit(const std::string& query) const {
    std::string rows;
    const auto offset = number(query, "offset");
    for (auto i = offset; i < std::min(audit_.size(), offset + number(query, "limit")); ++i)
        rows += (rows.empty() ? "" : ",") + audit_[i].second;
    return ok("{\"results\":[" + rows + "],\"total\":" + std::to_string(audit_.size()) + "}");
}

HttpResponse FakeOpenRegister::realtime(const std::string& query) const {
    std::string rows;
    const auto since = static_cast<std::int64_t>(number(query, "since"));
    std::size_t given = 0;
    bool more = false;
    for (const auto& [id, text] : realtime_) {
        if (id <= since) continue;
        more = given == number(query, "limit");
        if (more) break;
        rows += (rows.empty() ? "" : ",") + text;
        ++given;
    }
    return ok("{\"events\":[" + rows + "],\"hasMore\":" + (more ? "true" : "false") + "}");
}

HttpResponse FakeOpenRegister::list(const std::string& query) const {
    const auto ids = query_value(query, "_ids");
    std::vector<std::string> wanted;
    for (const auto part : split(ids, ',')) wanted.emplace_back(part);
    std::vector<std::string> texts;
    for (const auto& [uuid, object] : objects_) {
        const bool asked = ids.empty() || std::find(wanted.begin(), wanted.end(), uuid) != wanted.end();
        if (!object.deleted && asked) texts.push_back(object_text(object.values));
    }
    const auto offset = number(query, "_offset"), limit = number(query, "_limit");
    std::string rows;
    for (auto i = offset; i < std::min(texts.size(), offset + limit); ++i) rows += (rows.empty() ? "" : ",") + texts[i];
    const auto about =
        ignored_filter.empty() ? std::string() : ",\"@self\":{\"ignoredFilters\":[\"" + ignored_filter + "\"]}";
    return ok("{\"results\":[" + rows + "],\"limit\":" + std::to_string(limit) + about + "}");
}

void FakeOpenRegister::put_self(Object& object, const std::string& uuid) {
    JsonWriter json;
    json.object().member("id", uuid).member("register", "3").member("schema", "12").member("updated", at(clock_));
    json.key("deleted");
    if (object.deleted) {
        json.object().member("deletedBy", "ada").end();
    } else {
        json.array().end();
    }
    json.end();
    object.values["@self"] = json.text();
    object.values["id"] = json_string(uuid);
}

void FakeOpenRegister::log(const std::string& action, const std::string& uuid, const Values& before,
                           const Values& after) {
    ++last_id_;
    JsonWriter row;
    row.object().member("id", last_id_).member("action", action).member("objectUuid", uuid).member("register", 3);
    row.member("schema", 12).member("user", "ada").member("created", at(clock_));
    row.member_raw("changed", action == "delete" ? "[]" : changed(before, after)).end();
    audit_.emplace_back(last_id_, row.text());
    JsonWriter event;
    event.object()
        .member("_cursor", last_id_)
        .member("type", action == "create" ? "or.object.created" : "or.object.updated");
    event.member("time", at(clock_))
        .key("data")
        .object()
        .member("uuid", uuid)
        .member("register", 3)
        .member("schema", 12);
    event.member("actor", "ada").end().end();
    realtime_.emplace_back(last_id_, event.text());
}

void FakeOpenRegister::create(const std::string& uuid, const std::string& title, bool silent) {
    ++clock_;
    auto& object = objects_[uuid];
    object.values = {{"titel", json_string(title)}, {"notitie", "null"}, {"tags", "[]"}};
    put_self(object, uuid);
    if (!silent) log("create", uuid, {}, object.values);
    done.push_back({silent ? "silent" : "create", uuid, object_text(object.values), !silent});
}

void FakeOpenRegister::update(const std::string& uuid, const std::string& title, bool silent) {
    ++clock_;
    auto& object = objects_.at(uuid);
    const auto before = object.values;
    object.values["titel"] = json_string(title);
    put_self(object, uuid);
    if (!silent) log("update", uuid, before, object.values);
    done.push_back({silent ? "silent" : "update", uuid, object_text(object.values), !silent});
}

void FakeOpenRegister::soft_delete(const std::string& uuid) {
    ++clock_;
    auto& object = objects_.at(uuid);
    object.deleted = true;
    // `updated` does not move.
    auto self = object.values["@self"];
    self.replace(self.find("\"deleted\":[]"), 12, R"("deleted":{"deletedBy":"ada"})");
    object.values["@self"] = self;
    log("delete", uuid, {}, object.values);
    done.push_back({"delete", uuid, object_text(object.values), true, false});
}

void FakeOpenRegister::restore(const std::string& uuid) {
    ++clock_;
    auto& object = objects_.at(uuid);
    object.deleted = false;
    auto self = object.values["@self"];
    const std::string mark = R"("deleted":{"deletedBy":"ada"})";
    self.replace(self.find(mark), mark.size(), "\"deleted\":[]");
    object.values["@self"] = self;
    done.push_back({"restore", uuid, object_text(object.values), false});
}

void FakeOpenRegister::purge(const std::string& uuid) { objects_.erase(uuid); }

void FakeOpenRegister::expire_audit(std::size_t rows) {
    audit_.erase(audit_.begin(), audit_.begin() + static_cast<std::ptrdiff_t>(std::min(rows, audit_.size())));
}

std::vector<std::string> FakeOpenRegister::uuids(bool deleted) const {
    std::vector<std::string> found;
    for (const auto& [uuid, object] : objects_)
        if (object.deleted == deleted) found.push_back(uuid);
    return found;
}

std::string FakeOpenRegister::text_of(const std::string& uuid) const { return object_text(objects_.at(uuid).values); }

}  // namespace orbridge::testing
