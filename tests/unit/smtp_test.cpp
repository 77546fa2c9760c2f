#include <boost/test/unit_test.hpp>

#include "adapters/smtp/mail.h"
#include "adapters/smtp/tasks.h"
#include "bridge/core/text.h"

namespace orbridge::smtp {
namespace {

using Is = NativeEnd::Is;
using How = MailEnd::How;

std::string parsed(std::string_view text) {
    const auto mailbox = parse_mailbox(text);
    return mailbox ? mailbox->name + "|" + mailbox->address : "!";
}

Mail mail() {
    Mail made;
    made.from = {"", "bridge@a.example"};
    made.to = {{"", "b@b.example"}};
    made.subject = "Hello";
    made.text = "One\nTwo";
    made.id = "0190-7f";
    made.date = TimePoint(milliseconds{1'774'512'000'000});
    return made;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The value of an encoded header, as a reader sees it.
std::string decoded(std::string text) {
    std::string made;
    for (auto at = text.find("=?UTF-8?B?"); at != std::string::npos; at = text.find("=?UTF-8?B?", at)) {
        at += 10;
        const auto end = text.find("?=", at);
        BOOST_TEST(end - at <= 75U - 12U);
        const auto word = from_base64(text.substr(at, end - at));
        BOOST_REQUIRE(word);
        made += *word;
    }
    return made;
}

struct Asked {
    explicit Asked(const std::string& config, const std::string& params, const std::string& credentials = "{}",
                   const std::string& task = "send_email")
        : c(*JsonDocument::parse(config)),
          p(*JsonDocument::parse(params)),
          s(*JsonDocument::parse(credentials)),
          task_name(task) {}
    Result<MailRequest> request() const {
        const NativeRun run{
            .task = task_name, .params = p->root(), .credentials = s->root(), .config = c->root(), .id = id};
        return request_of(run, TimePoint{});
    }
    std::string fault() const {
        const auto made = request();
        return made ? "" : made.error().message;
    }
    JsonPtr c, p, s;
    std::string task_name, id = "d1";
};

constexpr const char* kConfig = R"({"host":"mail.example","from":"Bridge <b@a.example>","security":"starttls"})";

}  // namespace

BOOST_AUTO_TEST_SUITE(smtp)

BOOST_AUTO_TEST_CASE(I5_addresses_are_addresses_and_nothing_else) {
    BOOST_TEST(parsed("a.b+c@x-y.example") == "|a.b+c@x-y.example");
    BOOST_TEST(parsed("  Zoë de Boer <z@x.example> ") == "Zoë de Boer|z@x.example");
    BOOST_TEST(parsed("\"Doe, John\" <j@x.example>") == "Doe, John|j@x.example");
    for (const auto* bad : {"",
                            "a",
                            "a@",
                            "@b",
                            "a@b@c",
                            "a b@c.example",
                            "a@b.example\r\nBcc: x@y.example",
                            "a@b.example>",
                            "<a@b.example",
                            "a@b.example, c@d.example",
                            "N <a@b.example> x",
                            "N\r\nX: y <a@b.example>",
                            "a..b@c.example",
                            "a@b..example",
                            "é@b.example",
                            "a@é.example",
                            "a@b.example\n",
                            "\"a\"@b.example",
                            "a@[127.0.0.1]",
                            "<>"}) {
        const auto text = std::string(bad);
        if (trim(text) != text && parsed(trim(text)) != "!") continue;  // white space around it
        BOOST_TEST(parsed(bad) == "!", bad);
    }
    BOOST_TEST(parsed(std::string(65, 'a') + "@b.example") == "!");
}

BOOST_AUTO_TEST_CASE(I6_no_value_becomes_another_header) {
    auto made = mail();
    made.subject = "Hi\r\nBcc: evil@x.example\r\n\r\nbody";
    made.from.name = "A \"quoted\" name";
    const auto text = written(made);
    BOOST_TEST(has(text, "Subject: Hi Bcc: evil@x.example body\r\n"));
    BOOST_TEST(!has(text, "\nBcc:"));
    BOOST_TEST(has(text, "From: \"A \\\"quoted\\\" name\" <bridge@a.example>\r\n"));
    made.id = "x>\r\nX: y";
    BOOST_TEST(has(written(made), "Message-ID: <x---X--y@a.example>\r\n"));
}

BOOST_AUTO_TEST_CASE(I9_a_mail_is_written_as_it_should_be) {
    const auto text = written(mail());
    for (const auto* line : {"From: bridge@a.example\r\n", "To: b@b.example\r\n", "Subject: Hello\r\n",
                             "Message-ID: <0190-7f@a.example>\r\n", "Auto-Submitted: auto-generated\r\n",
                             "Date: Thu, 26 Mar 2026 08:00:00 GMT\r\n", "Content-Type: text/plain; charset=UTF-8\r\n",
                             "Content-Transfer-Encoding: base64\r\n"})
        BOOST_TEST(has(text, line), line << " in " << text);
    BOOST_TEST(has(text, "\r\n\r\n" + to_base64("One\r\nTwo")));
    for (std::size_t i = 0; i < text.size(); ++i) {
        BOOST_TEST_REQUIRE(static_cast<unsigned char>(text[i]) < 0x80);
        if (text[i] == '\n') BOOST_TEST_REQUIRE((i > 0 && text[i - 1] == '\r'));
    }
}

BOOST_AUTO_TEST_CASE(text_and_html_are_alternatives) {
    auto made = mail();
    made.html = "<p>Zoë</p>";
    const auto text = written(made);
    BOOST_TEST(has(text, "Content-Type: multipart/alternative; boundary="));
    BOOST_TEST(has(text, to_base64("<p>Zoë</p>")));
    BOOST_TEST(text.find("text/plain") < text.find("text/html"));
    made.text.clear();
    BOOST_TEST(!has(written(made), "multipart"));
}

BOOST_AUTO_TEST_CASE(a_subject_of_any_script_is_whole_and_its_words_are_short) {
    std::string subject;
    for (int i = 0; i < 40; ++i) subject += "Zaak é 案件 🙂 ";
    subject.pop_back();
    const auto text = header_text(subject);
    BOOST_TEST(decoded(text) == subject);
    for (const auto line : split(text, '\n')) BOOST_TEST(line.size() <= 77U);
    BOOST_TEST(header_text("plain") == "plain");
    BOOST_TEST(decoded(header_text("=?UTF-8?B?eA==?=")) == "=?UTF-8?B?eA==?=");
    BOOST_TEST(decoded(header_text(std::string(2'000, 'a'))) == std::string(2'000, 'a'));
}

BOOST_AUTO_TEST_CASE(all_recipients_are_told_to_the_server_and_hidden_ones_to_nobody_else) {
    const Asked asked(kConfig, R"({"to":["A <a@x.example>","b@x.example"],"cc":["c@x.example"],"bcc":["d@x.example"],)"
                               R"("reply_to":"R <r@x.example>","subject":"S","text":"T"})");
    const auto request = asked.request();
    BOOST_REQUIRE(request);
    BOOST_TEST(request->from == "b@a.example");
    const std::vector<std::string> all = {"a@x.example", "b@x.example", "c@x.example", "d@x.example"};
    BOOST_TEST(request->to == all, boost::test_tools::per_element());
    BOOST_TEST(has(request->mail, "To: \"A\" <a@x.example>,\r\n b@x.example\r\n"));
    BOOST_TEST(has(request->mail, "Reply-To: \"R\" <r@x.example>\r\n"));
    BOOST_TEST(!has(request->mail, "d@x.example"));
    BOOST_TEST(request->port == 587);
}

BOOST_AUTO_TEST_CASE(I5_what_is_wrong_with_a_mail_is_named) {
    const std::string rest = R"("subject":"S","text":"T"})";
    BOOST_TEST(Asked(kConfig, R"({"to":["a"],)" + rest).fault().starts_with("to: not an address"));
    BOOST_TEST(Asked(kConfig, R"({"to":[5],)" + rest).fault().starts_with("to: not an address"));
    BOOST_TEST(Asked(kConfig, R"({"to":["a@b.example"],"bcc":["x y"],)" + rest).fault().starts_with("bcc: "));
    BOOST_TEST(Asked(kConfig, R"({"to":["a@b.example"],"subject":"S"})").fault() == "needs `text` or `html`");
    BOOST_TEST(Asked(R"({"host":"a b","from":"x@y.example"})", R"({"to":["a@b.example"],)" + rest)
                   .fault()
                   .starts_with("host: "));
}

BOOST_AUTO_TEST_CASE(credentials_are_told_to_nobody_without_encryption) {
    const auto open = R"({"host":"mail.example","from":"b@a.example","security":"none","port":25})";
    const auto login = R"({"user":"u","password":"S3CR3T"})";
    BOOST_TEST(Asked(open, "{}", login, "test").fault().starts_with("security: none"));
    BOOST_TEST(Asked(open, "{}", "{}", "test").fault() == "");
    const Asked tls(R"({"host":"mail.example","from":"b@a.example","security":"tls"})", "{}", login, "test");
    const auto request = tls.request();
    BOOST_REQUIRE(request);
    BOOST_TEST(request->port == 465);
    BOOST_TEST(request->to.empty());
}

BOOST_AUTO_TEST_CASE(T4_replies_say_whether_to_try_again) {
    struct Row {
        How how;
        int code;
        bool sent;
        Is is;
        bool unclear;
    };
    const Row rows[] = {{How::Done, 250, true, Is::Done, false},
                        {How::Refused, 421, false, Is::Trouble, false},
                        {How::Refused, 451, false, Is::Trouble, false},
                        {How::Refused, 452, false, Is::Trouble, false},
                        {How::Refused, 454, false, Is::Trouble, false},
                        {How::Refused, 550, false, Is::Rejected, false},
                        {How::Refused, 552, false, Is::Rejected, false},
                        {How::Refused, 554, false, Is::Rejected, false},
                        {How::Refused, 535, false, Is::Unauthorized, false},
                        {How::Refused, 530, false, Is::Unauthorized, false},
                        {How::NoTls, 250, false, Is::Misconfigured, false},
                        {How::BadServer, 220, false, Is::Misconfigured, false},
                        {How::Timeout, 0, false, Is::Timeout, false},
                        {How::Timeout, 354, true, Is::Timeout, true},
                        {How::Trouble, 354, true, Is::Trouble, true},
                        {How::Trouble, 0, false, Is::Trouble, false},
                        {How::BadAddress, 0, false, Is::Rejected, false}};
    for (const auto& row : rows) {
        const auto end = end_of({.how = row.how, .code = row.code, .reply = "x", .reason = "y", .sent = row.sent});
        BOOST_CHECK_MESSAGE(end.is == row.is, row.code);
        BOOST_TEST(end.unclear == row.unclear);
        BOOST_TEST(end.answered == (row.code != 0));
    }
    BOOST_TEST(!end_of({.how = How::Stopped}).sent);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace orbridge::smtp
