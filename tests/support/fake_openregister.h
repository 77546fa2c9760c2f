#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "adapters/openregister/api_client.h"
#include "bridge/core/http.h"

namespace orbridge::testing {

/// One OpenRegister with one register (3) and one schema (12), its objects, both logs, and a record of what was done.
class FakeOpenRegister {
public:
    using Values = std::map<std::string, std::string>;  ///< property → JSON text; `@self` among them

    struct Done {
        std::string kind, uuid, text;  ///< kind: create, update, delete, silent, restore
        bool audited = false;
        bool live = true;
    };

    std::vector<Done> done;
    bool has_realtime = false, has_audit = true;
    std::function<bool(const HttpRequest&)> fails = [](const HttpRequest&) { return false; };
    std::vector<std::string> requests;  ///< targets
    std::string ignored_filter;

    openregister::ApiClient client();

    void create(const std::string& uuid, const std::string& title, bool silent = false);
    void update(const std::string& uuid, const std::string& title, bool silent = false);
    void soft_delete(const std::string& uuid);
    void restore(const std::string& uuid);
    void purge(const std::string& uuid);
    void expire_audit(std::size_t rows);

    std::vector<std::string> uuids(bool deleted) const;
    std::string text_of(const std::string& uuid) const;

private:
    struct Object {
        Values values;
        bool deleted = false;
    };

    HttpResponse answer(const HttpRequest& request);
    HttpResponse audit(const std::string& query) const;
    HttpResponse realtime(const std::string& query) const;
    HttpResponse list(const std::string& query) const;
    void log(const std::string& action, const std::string& uuid, const Values& before, const Values& after);
    void put_self(Object& object, const std::string& uuid);

    std::map<std::string, Object> objects_;
    std::vector<std::pair<std::int64_t, std::string>> audit_, realtime_;  ///< id, JSON text
    std::int64_t last_id_ = 0;
    int clock_ = 0;
};

}  // namespace orbridge::testing
