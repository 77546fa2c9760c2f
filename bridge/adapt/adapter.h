#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/adapt/template.h"
#include "bridge/core/clock.h"
#include "bridge/credentials/fields.h"
#include "bridge/settings/pattern.h"

/// What an adapter file says (docs/integrations.md): one outside system with its credentials, its settings, its tasks
/// and its test.
///
/// Of kind `http` the file says all of it. A native adapter has a file of the same form, with a `kind` of its own:
/// there `credentials`, `config` and the tasks' `title`, `description` and `params` are declared, and what happens is
/// code. So forms, checks, tests and results look alike. To add one: a line in kNativeKinds, `adapters/<kind>.yaml`,
/// a folder `adapters/<kind>/` with its NativeTasks (native.h), and a line in adapters/registry.cpp.
namespace orbridge {

/// Kinds of adapter files besides `http`, and their tasks, which are code.
inline const std::map<std::string, std::vector<std::string>> kNativeKinds = {
    {"postgresql", {"delete", "execute", "query", "upsert"}}, {"smtp", {"send_email"}}};

/// Which answers something is said of. All that is given must hold.
struct AnswerMatch {
    std::vector<int> status;                                             ///< one of them; empty: see each use
    std::vector<std::string> text;                                       ///< the whole body, trimmed, is one of them
    std::optional<Pattern> like;                                         ///< describes the whole body, trimmed
    std::vector<std::pair<std::string, std::vector<std::string>>> json;  ///< the value at a path is one of these
    std::vector<std::pair<std::string, std::string>> headers;            ///< equal
};

/// What an answer means for what is to become of the delivery.
enum class AnswerClass : std::uint8_t {
    Delivered,
    Trouble,       ///< again, later
    RateLimited,   ///< again, when it says so
    Unauthorized,  ///< the credentials are refused: heals by someone's hand
    Rejected,      ///< never again
};

struct AnswerRule {
    AnswerMatch match;
    AnswerClass is = AnswerClass::Rejected;
    ValueTemplate message;  ///< of a success
};

/// One exchange of a task, and how its answer is read.
struct ExchangeSpec {
    std::string name;  ///< of a step
    std::string when;  ///< used only if this variable has a value; empty: always
    std::string method = "GET";
    ValueTemplate url;   ///< a whole address; empty: the base and `path`
    ValueTemplate path;  ///< begins with `/`
    std::vector<std::pair<std::string, ValueTemplate>> query;
    std::vector<std::pair<std::string, ValueTemplate>> headers;
    Tree json;
    std::vector<std::pair<std::string, ValueTemplate>> form;
    ValueTemplate text;
    std::string content_type;  ///< of `text`
    AnswerMatch expect;        ///< without a status: any of 2xx
    std::vector<AnswerRule> classes;
    ValueTemplate error;    ///< what the other side calls the failure
    ValueTemplate message;  ///< of a success
    Tree data;
    bool reads_json = false;  ///< `message` or `data` are out of an answer in JSON
    bool repeatable = false;  ///< sending it twice does no harm
};

struct Task {
    std::string name, title, description;
    Fields params;
    /// One after the other, each seeing `steps.<name>`; the first failure ends it. Of `either` the first whose `when`
    /// holds stands for the step. Never empty for kind `http`.
    std::vector<std::vector<ExchangeSpec>> steps;
    /// Sending any of it twice does no harm. Else it is not sent again once it may have arrived (integrations.md I13).
    bool repeatable = false;
    milliseconds timeout{10'000};
    std::size_t answer_bytes_max = 1 << 20;
};

/// How requests show who sends them.
struct AuthSpec {
    enum class How : std::uint8_t { None, Bearer, Basic, ByHeaders, AwsSigV4 } how = How::None;
    ValueTemplate bearer, user, password;
    std::vector<std::pair<std::string, ValueTemplate>> headers;
    ValueTemplate access_key, secret_key, region, service;
    std::string when;  ///< only if this variable has a value
};

/// Immutable; safe from any thread.
struct Adapter {
    std::string name, title, description, kind, file;
    ValueTemplate base_url;
    AuthSpec auth;
    std::vector<std::pair<std::string, ValueTemplate>> headers;
    Fields credentials;
    Fields config;
    /// What of events has to be kept from being more than a text on the other side: `windmill` (its `$var:…`), or
    /// `none`.
    std::string guard;
    Task test;
    std::map<std::string, Task, std::less<>> tasks;

    bool is_native() const { return kind != "http"; }
};

/// By name.
using Adapters = std::map<std::string, std::shared_ptr<const Adapter>, std::less<>>;

}  // namespace orbridge
