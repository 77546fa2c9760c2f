#include "bridge/adapt/loader.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "bridge/core/http.h"
#include "bridge/core/text.h"
#include "bridge/settings/settings.h"
#include "bridge/settings/values.h"

namespace orbridge {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t kFilesMax = 500;
constexpr std::size_t kTasksMax = 100;
constexpr std::size_t kStepsMax = 20;

bool is_word(std::string_view text) {
    return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

AnswerClass class_of(const std::string& word) {
    if (word == "delivered") return AnswerClass::Delivered;
    if (word == "trouble") return AnswerClass::Trouble;
    if (word == "rate_limited") return AnswerClass::RateLimited;
    if (word == "unauthorized") return AnswerClass::Unauthorized;
    return AnswerClass::Rejected;
}

/// Something out of the answer's body, and not the body as a whole, which may be a text as well.
bool reads_body(const ValueTemplate& text) {
    const auto paths = text.paths();
    return std::any_of(paths.begin(), paths.end(), [](const auto& path) { return path.starts_with("response.body."); });
}

bool reads_body(const Tree& tree) {
    return reads_body(tree.text) ||
           std::any_of(tree.items.begin(), tree.items.end(), [](const auto& item) { return reads_body(item); }) ||
           std::any_of(tree.members.begin(), tree.members.end(),
                       [](const auto& each) { return reads_body(each.second); });
}

class AdapterReader {
public:
    explicit AdapterReader(const ConfigNode& node) : node_(node) {}

    std::shared_ptr<const Adapter> read() {
        auto made = std::make_shared<Adapter>();
        made->file = node_.file();
        made->name = node_.text("name");
        if (!made->name.empty() && !is_word(made->name))
            node_["name"].complain("not a name, expected 1 to 63 of a-z, 0-9, `_` and `-`");
        made->title = node_.text("title", made->name);
        made->description = node_.text("description", "");
        std::vector<std::string> kinds = {"http"};
        for (const auto& [kind, tasks] : kNativeKinds) kinds.push_back(kind);
        made->kind = node_.word("kind", kinds, "http");
        made->credentials = read_fields(node_["credentials"]);
        made->config = read_fields(node_["config"]);
        known_ = KnownNames();
        for (const auto& [root, fields] : {std::pair("credentials", &made->credentials), {"config", &made->config}})
            add_declared(root, *fields);
        if (made->is_native()) {
            read_native(*made);
        } else {
            read_http(*made);
        }
        node_.done();
        return made;
    }

private:
    using Named = std::vector<std::pair<std::string, ValueTemplate>>;

    void add_declared(const std::string& root, const Fields& fields) {
        for (const auto& field : fields)
            known_.add(root + '.' + field.name, field.type == Field::Type::Object || field.type == Field::Type::Array);
    }

    void read_native(Adapter& made) {
        const auto& known = kNativeKinds.at(made.kind);
        made.test.name = "test";
        for (const auto& [name, node] : tasks_of()) {
            auto task = task_head(name, node, false);
            task.repeatable = node.flag("repeatable", false);
            node.done();
            if (std::find(known.begin(), known.end(), name) == known.end())
                node.complain("kind " + made.kind + " has no such task: there is " + join(known, ", "));
            made.tasks.emplace(name, std::move(task));
        }
    }

    void read_http(Adapter& made) {
        made.base_url = optional_template(node_["base_url"], known_);
        made.guard = node_.word("guard", {"none", "windmill"}, "none");
        made.auth = read_auth(node_["auth"]);
        made.headers = named(node_["headers"], known_);
        const auto test = node_["test"];
        if (!test.present()) {
            test.complain("missing: how a target is tried out without changing anything");
        } else {
            made.test = read_task("test", test, made);
        }
        for (const auto& [name, node] : tasks_of()) made.tasks.emplace(name, read_task(name, node, made));
    }

    std::vector<std::pair<std::string, ConfigNode>> tasks_of() {
        const auto tasks = node_["tasks"];
        if (!tasks.present()) tasks.complain("missing: what it can do");
        auto all = tasks.present() ? tasks.entries() : std::vector<std::pair<std::string, ConfigNode>>{};
        if (all.size() > kTasksMax) tasks.complain("more than " + std::to_string(kTasksMax) + " tasks");
        for (const auto& [name, node] : all) {
            if (!is_word(name)) node.complain("not a name, expected 1 to 63 of a-z, 0-9, `_` and `-`");
            if (name == "test") node.complain("`test` stands beside `tasks`, not in it");
        }
        return all;
    }

    static ValueTemplate optional_template(const ConfigNode& node, const KnownNames& known) {
        return node.present() ? read_template(node, known) : ValueTemplate();
    }

    static Named named(const ConfigNode& node, const KnownNames& known) {
        Named all;
        if (!node.present()) return all;
        for (const auto& [name, value] : node.entries()) all.emplace_back(name, read_template(value, known));
        return all;
    }

    AuthSpec read_auth(const ConfigNode& node) const {
        AuthSpec auth;
        if (!node.present()) return auth;
        auth.when = condition(node, known_);
        if (node["bearer"].present()) {
            auth.how = AuthSpec::How::Bearer;
            auth.bearer = read_template(node["bearer"], known_);
        } else if (node["basic"].present()) {
            auth.how = AuthSpec::How::Basic;
            auth.user = required_template(node["basic"], "user", known_);
            auth.password = required_template(node["basic"], "password", known_);
            node["basic"].done();
        } else if (node["headers"].present()) {
            auth.how = AuthSpec::How::ByHeaders;
            auth.headers = named(node["headers"], known_);
        } else if (const auto aws = node["aws_sigv4"]; aws.present()) {
            auth.how = AuthSpec::How::AwsSigV4;
            auth.access_key = required_template(aws, "access_key", known_);
            auth.secret_key = required_template(aws, "secret_key", known_);
            auth.region = required_template(aws, "region", known_);
            auth.service = required_template(aws, "service", known_);
            aws.done();
        } else {
            node.complain("expected one of bearer, basic, headers, aws_sigv4");
        }
        node.done();
        return auth;
    }

    static ValueTemplate required_template(const ConfigNode& node, const char* key, const KnownNames& known) {
        if (!node[key].present()) node[key].complain("missing");
        return optional_template(node[key], known);
    }

    static std::string condition(const ConfigNode& node, const KnownNames& known) {
        auto path = node.text("when", "");
        if (path.empty()) return path;
        // An answer is read when the event and its parameters are gone, and must find the same way again.
        const bool lasts = path.starts_with("credentials.") || path.starts_with("config.");
        const auto fault = lasts ? known.fault(path) : "expected one of the credentials or the config";
        if (!fault.empty()) node["when"].complain(fault);
        return path;
    }

    static Task task_head(const std::string& name, const ConfigNode& node, bool is_test) {
        Task task;
        task.name = name;
        task.title = node.text("title", name);
        task.description = node.text("description", "");
        if (!is_test) task.params = read_fields(node["params"]);
        task.timeout = node.duration("timeout", task.timeout, 10ms, 15min);
        task.answer_bytes_max = node.size("answer_bytes_max", task.answer_bytes_max, 1 << 10, 16 << 20);
        return task;
    }

    Task read_task(const std::string& name, const ConfigNode& node, const Adapter& adapter) const {
        auto task = task_head(name, node, name == "test");
        auto known = known_;
        for (const auto& field : task.params)
            known.add("params." + field.name, field.type == Field::Type::Object || field.type == Field::Type::Array);
        if (name != "test") known.add("delivery.id").add("event", true);
        read_steps(node, adapter, known, task);
        read_repeatable(node, task);
        node.done();
        return task;
    }

    static void read_repeatable(const ConfigNode& node, Task& task) {
        task.repeatable = true;
        for (auto& step : task.steps) {
            for (auto& spec : step) {
                spec.repeatable = is_repeatable(spec);
                task.repeatable = task.repeatable && spec.repeatable;
            }
        }
        if (!node["repeatable"].present()) return;
        task.repeatable = node.flag("repeatable", task.repeatable);
        for (auto& step : task.steps)
            for (auto& spec : step) spec.repeatable = task.repeatable;
    }

    static bool is_repeatable(const ExchangeSpec& spec) {
        static const std::set<std::string> kIdempotent = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
        const auto is_key = [](const auto& header) { return equal_ignoring_case(header.first, "Idempotency-Key"); };
        return kIdempotent.count(spec.method) > 0 || std::any_of(spec.headers.begin(), spec.headers.end(), is_key);
    }

    static void read_steps(const ConfigNode& node, const Adapter& adapter, KnownNames& known, Task& task) {
        const auto steps = node["steps"];
        if (!steps.present()) {
            task.steps.push_back(read_either(node, adapter, known));
            return;
        }
        const auto items = steps.items();
        if (items.empty() || items.size() > kStepsMax)
            steps.complain("expected 1 to " + std::to_string(kStepsMax) + " steps");
        std::set<std::string> names;
        for (const auto& item : items) {
            const auto name = item.text("name");
            if (!is_word(name) || !names.insert(name).second)
                item["name"].complain("expected a name of its own out of a-z, 0-9, `_` and `-`");
            auto step = read_either(item, adapter, known);
            for (auto& each : step) each.name = name;
            task.steps.push_back(std::move(step));
            item.done();
            known.add("steps." + name + ".data", true).add("steps." + name + ".message");
        }
    }

    static std::vector<ExchangeSpec> read_either(const ConfigNode& node, const Adapter& adapter,
                                                 const KnownNames& known) {
        std::vector<ExchangeSpec> all;
        const auto either = node["either"];
        if (!either.present()) {
            all.push_back(read_exchange(node, adapter, known));
            return all;
        }
        for (const auto& item : either.items()) {
            auto spec = read_exchange(item, adapter, known);
            spec.when = condition(item, known);
            item.done();
            all.push_back(std::move(spec));
        }
        if (all.empty()) either.complain("must not be empty");
        return all;
    }

    static ExchangeSpec read_exchange(const ConfigNode& node, const Adapter& adapter, const KnownNames& known) {
        ExchangeSpec spec;
        const auto request = node["request"];
        if (!request.present()) request.complain("missing");
        read_request(request, adapter, known, spec);
        auto answered = known;
        answered.add("response.status").add("response.text").add("response.body", true).add("response.headers", true);
        spec.expect = read_match(node["expect"]);
        for (const auto& item : node["classes"].items()) spec.classes.push_back(read_rule(item, answered));
        spec.error = optional_template(node["error"], answered);
        spec.message = optional_template(node["message"], answered);
        if (node["data"].present()) spec.data = read_tree(node["data"], answered);
        spec.reads_json = reads_body(spec.message) || reads_body(spec.data);
        return spec;
    }

    static void read_request(const ConfigNode& node, const Adapter& adapter, const KnownNames& known,
                             ExchangeSpec& spec) {
        if (!node.present()) return;
        spec.method = node.word("method", {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"}, "GET");
        spec.url = optional_template(node["url"], known);
        spec.path = optional_template(node["path"], known);
        if (node["url"].present() == node["path"].present())
            node.complain("expected `path`, behind the adapter's `base_url`, or else a whole `url`");
        if (node["path"].present() && !node.text("path").starts_with('/'))
            node["path"].complain("expected a `/` first");
        if (node["path"].present() && !node.text("path").empty() && adapter.base_url.json(Scope()) == "\"\"")
            node["path"].complain("the adapter has no `base_url`");
        spec.query = named(node["query"], known);
        spec.headers = named(node["headers"], known);
        const int bodies = static_cast<int>(node["json"].present()) + static_cast<int>(node["form"].present()) +
                           static_cast<int>(node["text"].present());
        if (bodies > 1) node.complain("has more than one of json, form and text");
        if (node["json"].present()) spec.json = read_tree(node["json"], known);
        spec.form = named(node["form"], known);
        spec.text = optional_template(node["text"], known);
        spec.content_type = node.text("content_type", node["text"].present() ? "text/plain; charset=utf-8" : "");
        node.done();
    }

    static std::vector<std::string> one_or_many(const ConfigNode& node) {
        std::vector<std::string> all;
        for (const auto& item : node.one_or_list()) all.push_back(item.as_text().value_or(""));
        return all;
    }

    /// Reads what may stand in it, and leaves done() to the caller.
    static void read_match_into(const ConfigNode& node, AnswerMatch& match) {
        for (const auto& item : node["status"].one_or_list()) {
            const auto number = parse_integer(item.as_text().value_or(""));
            if (!number || *number < 100 || *number > 599) {
                item.complain("expected a status from 100 to 599");
            } else {
                match.status.push_back(static_cast<int>(*number));
            }
        }
        match.text = one_or_many(node["text"]);
        if (const auto like = node["like"].as_text()) {
            auto pattern = Pattern::compile(*like);
            if (!pattern) node["like"].complain("not a regular expression (RE2): " + pattern.error().message);
            if (pattern) match.like = *std::move(pattern);
        }
        if (node["json"].present()) {
            for (const auto& [path, values] : node["json"].entries())
                match.json.emplace_back(path, one_or_many(values));
        }
        if (node["headers"].present()) {
            for (const auto& [name, value] : node["headers"].entries())
                match.headers.emplace_back(name, value.as_text().value_or(""));
        }
    }

    static AnswerMatch read_match(const ConfigNode& node) {
        AnswerMatch match;
        if (!node.present()) return match;
        read_match_into(node, match);
        node.done();
        return match;
    }

    static AnswerRule read_rule(const ConfigNode& node, const KnownNames& answered) {
        AnswerRule rule;
        read_match_into(node, rule.match);
        if (!node["is"].present()) node["is"].complain("missing");
        rule.is = class_of(node.word("is", {"delivered", "trouble", "rate_limited", "unauthorized", "rejected"}, ""));
        rule.message = optional_template(node["message"], answered);
        node.done();
        return rule;
    }

    const ConfigNode& node_;
    KnownNames known_;
};

std::vector<std::string> files_in(const std::string& folder, Complaints& complaints) {
    std::vector<std::string> files;
    std::error_code trouble;
    for (const auto& entry : fs::directory_iterator(folder, trouble)) {
        std::error_code ignored;
        if (entry.path().extension() == ".yaml" && entry.is_regular_file(ignored))
            files.push_back(entry.path().string());
    }
    if (trouble) complaints.add(folder, "", "cannot be read: " + trouble.message());
    std::sort(files.begin(), files.end());
    return files;
}

std::shared_ptr<const Adapter> read_adapter(const ConfigNode& node, Complaints& own, Complaints& all) {
    std::shared_ptr<const Adapter> made;
    if (node.present()) made = AdapterReader(node).read();
    if (!node.present() && own.empty()) own.add(node.file() + ":1:1", "", "is empty");
    if (own.empty()) return made;
    all.take(std::move(own));
    return nullptr;
}

}  // namespace

std::shared_ptr<const Adapter> parse_adapter(const std::string& text, const std::string& name, Complaints& complaints) {
    Complaints own;
    return read_adapter(ConfigNode::parse(text, name, own), own, complaints);
}

std::shared_ptr<const Adapter> load_adapter(const std::string& file, Complaints& complaints) {
    Complaints own;
    return read_adapter(ConfigNode::load(file, own), own, complaints);
}

Adapters load_adapters(const std::vector<std::string>& folders, Complaints& complaints) {
    Adapters all;
    for (const auto& folder : folders) {
        for (const auto& file : files_in(folder, complaints)) {
            if (all.size() >= kFilesMax) {
                complaints.add(file, "", "more than " + std::to_string(kFilesMax) + " adapters");
                return all;
            }
            auto made = load_adapter(file, complaints);
            if (!made) continue;
            const auto [there, is_new] = all.emplace(made->name, made);
            if (!is_new) {
                Complaints own;
                ConfigNode::load(file, own)["name"].complain("the adapter of " + there->second->file +
                                                             " has this name");
                complaints.take(std::move(own));
            }
        }
    }
    return all;
}

}  // namespace orbridge
