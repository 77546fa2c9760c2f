#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bridge/core/result.h"

namespace orbridge::cli {

/// Exit codes of every command (docs/operations.md lists them).
inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kConfiguration = 2;  ///< the configuration or the command line is wrong

struct Option {
    std::string name;        ///< without the dashes
    std::string value_name;  ///< empty: a flag
    std::string help;
};

/// A parsed command line: only what its Command declares gets in.
class Args {
public:
    bool has(const std::string& option) const { return options_.contains(option); }
    std::string get(const std::string& option, const std::string& fallback = {}) const;
    const std::vector<std::string>& words() const { return words_; }
    std::string word(std::size_t index) const { return index < words_.size() ? words_[index] : std::string(); }
    bool json() const { return has("json"); }

private:
    friend struct Command;
    std::map<std::string, std::string> options_;
    std::vector<std::string> words_;
};

struct Command {
    std::string name;
    std::string words;  ///< `<event> [<target>]`
    std::string summary;
    std::vector<Option> options;
    std::size_t words_min = 0, words_max = 0;
    int (*run)(const Args&) = nullptr;

    Result<Args> parse(const std::vector<std::string>& arguments) const;
    std::string help() const;
};

/// What every command takes besides its own.
const std::vector<Option>& common_options();

/// Every command; one file of bridge/cli/ each.
const std::vector<Command>& commands();

// To add one: its function here, a file, and a line in commands.cpp.
int run_serve(const Args& args);
int run_check(const Args& args);
int run_status(const Args& args);
int run_register(const Args& args);
int run_unregister(const Args& args);
int run_test(const Args& args);
int run_adapters(const Args& args);
int run_task(const Args& args);
int run_map(const Args& args);
int run_send(const Args& args);
int run_events(const Args& args);
int run_deliveries(const Args& args);
int run_why(const Args& args);
int run_pause(const Args& args);
int run_resume(const Args& args);
int run_replay(const Args& args);
int run_replays(const Args& args);
int run_backfill(const Args& args);
int run_backfills(const Args& args);
int run_cancel(const Args& args);
int run_subscriptions(const Args& args);
int run_token(const Args& args);
int run_check_url(const Args& args);
int run_audit(const Args& args);
int run_runs(const Args& args);
int run_backup(const Args& args);
int run_snapshots(const Args& args);
int run_erase(const Args& args);
int run_manual(const Args& args);
int run_credentials(const Args& args);
int run_keygen(const Args& args);
int run_export(const Args& args);
int run_import(const Args& args);

}  // namespace orbridge::cli
