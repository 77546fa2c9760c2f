#include "bridge/cli/manual.h"

#include <iostream>

namespace orbridge::cli {
namespace {

/// For man(7): what would be taken for a macro or an escape at the start of a line or anywhere.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
    }
    return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string option_item(const Option& option) {
    const auto value = option.value_name.empty() ? "" : " \\fI" + escaped(option.value_name) + "\\fR";
    return ".TP\n\\fB\\-\\-" + escaped(option.name) + "\\fR" + value + "\n" + escaped(option.help) + "\n";
}

std::string command_section(const Command& command) {
    const auto words = command.words.empty() ? "" : " \\fI" + escaped(command.words) + "\\fR";
    std::string text = ".SS orbridge " + escaped(command.name) + words + "\n" + escaped(command.summary) + "\n";
    for (const auto& option : command.options) text += option_item(option);
    return text;
}

constexpr const char* kFiles = R"(.SH FILES
.TP
.I /etc/orbridge/orbridge.yaml
the configuration, if
.I ./config/orbridge.yaml
is not there
.TP
.I /usr/share/orbridge/mappings
mappings that come with the program
.TP
.I /var/lib/orbridge
the store, and the admin API's token if none is configured
.SH ENVIRONMENT
.TP
.B ORBRIDGE_URL
where the running bridge is, if not where the configuration says
.TP
.B ORBRIDGE_CONFIG
the configuration, if there is no \-\-config
.TP
.B NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS
from systemd: readiness, watchdog, an inherited socket
.SH EXIT STATUS
0 ok, 1 failed, 2 configuration or usage
.SH SIGNALS
.TP
.B SIGTERM, SIGINT
stop: finish what is in flight, leave the rest to the store
.TP
.B SIGHUP
read the configuration again; a faulty one changes nothing
)";

}  // namespace

std::string man_page(const std::vector<Command>& commands) {
    std::string text = ".TH ORBRIDGE 1 \"\" \"orbridge " ORBRIDGE_VERSION
                       "\" \"orbridge\"\n"
                       ".SH NAME\norbridge \\- make Nextcloud and OpenRegister events durable and deliver them\n"
                       ".SH SYNOPSIS\n.B orbridge\n.I command\n.RI [ options ]\n.SH COMMANDS\n";
    for (const auto& command : commands) text += command_section(command);
    text += ".SH OPTIONS OF EVERY COMMAND\n";
    for (const auto& option : common_options()) text += option_item(option);
    return text + kFiles;
}

std::string bash_completion(const std::vector<Command>& commands) {
    std::string names, cases;
    for (const auto& command : commands) {
        names += (names.empty() ? "" : " ") + command.name;
        std::string options;
        for (const auto* list : {&command.options, &common_options()})
            for (const auto& option : *list) options += (options.empty() ? "--" : " --") + option.name;
        cases += "        " + command.name + ") options='" + options + "' ;;\n";
    }
    return "# bash completion for orbridge\n"
           "_orbridge() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} options=\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W '" +
           names +
           " --version --help' -- \"$word\")\n"
           "        return\n"
           "    fi\n"
           "    case ${COMP_WORDS[1]} in\n" +
           cases +
           "    esac\n"
           "    if [[ $word == -* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
           "    else\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
           "    fi\n"
           "}\n"
           "complete -o filenames -F _orbridge orbridge\n";
}

int run_manual(const Args& args) {
    const auto what = args.word(0);
    if (what != "man" && what != "bash") {
        std::cerr << "orbridge manual: expected man or bash, not '" << what << "'\n";
        return kConfiguration;
    }
    std::cout << (what == "man" ? man_page(commands()) : bash_completion(commands()));
    return kOk;
}

}  // namespace orbridge::cli
