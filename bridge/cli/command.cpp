#include "bridge/cli/command.h"

#include <algorithm>

namespace orbridge::cli {
namespace {

const Option* find_option(const std::vector<Option>& own, const std::string& name) {
    for (const auto* list : {&own, &common_options()}) {
        const auto found = std::find_if(list->begin(), list->end(), [&](const Option& o) { return o.name == name; });
        if (found != list->end()) return &*found;
    }
    return nullptr;
}

std::string option_line(const Option& option) {
    std::string line = "  --" + option.name + (option.value_name.empty() ? "" : " " + option.value_name);
    line.resize(std::max<std::size_t>(line.size() + 2, 26), ' ');
    return line + option.help + "\n";
}

Error wrong(const std::string& what) { return {Error::Kind::Invalid, what}; }

}  // namespace

std::string Args::get(const std::string& option, const std::string& fallback) const {
    const auto found = options_.find(option);
    return found == options_.end() ? fallback : found->second;
}

Result<Args> Command::parse(const std::vector<std::string>& arguments) const {
    Args args;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto& argument = arguments[i];
        if (!argument.starts_with("--")) {
            args.words_.push_back(argument);
            continue;
        }
        const auto equals = argument.find('=');
        const auto option_name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
        const auto* option = find_option(options, option_name);
        if (option == nullptr) return wrong("unknown option --" + option_name);
        const bool inline_value = equals != std::string::npos;
        if (option->value_name.empty() && inline_value) return wrong("--" + option_name + " takes no value");
        if (option->value_name.empty() || inline_value) {
            args.options_[option_name] = inline_value ? argument.substr(equals + 1) : "";
        } else if (++i < arguments.size()) {
            args.options_[option_name] = arguments[i];
        } else {
            return wrong("--" + option_name + " needs " + option->value_name);
        }
    }
    if (args.has("help")) return args;
    if (args.words_.size() < words_min || args.words_.size() > words_max)
        return wrong("expected: orbridge " + name + " " + words);
    return args;
}

const std::vector<Option>& common_options() {
    static const std::vector<Option> kCommon = {
        {"config", "FILE", "configuration (default ./config/orbridge.yaml, then /etc/orbridge/orbridge.yaml)"},
        {"json", "", "print JSON"},
        {"help", "", "print this"},
    };
    return kCommon;
}

std::string Command::help() const {
    std::string text =
        "usage: orbridge " + name + (words.empty() ? "" : " " + words) + " [options]\n\n" + summary + "\n\n";
    for (const auto& option : options) text += option_line(option);
    for (const auto& option : common_options()) text += option_line(option);
    return text;
}

}  // namespace orbridge::cli
