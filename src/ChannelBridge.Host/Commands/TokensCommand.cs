using System.CommandLine;
using System.Text.Json.Nodes;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge tokens</c>: see, make, change and end access tokens while the host runs.</summary>
internal static class TokensCommand
{
    private static readonly Argument<string> Name = new("NAME") { Description = "The token's name" };
    private static readonly Option<string?> ScopeList =
        new("--scope")
        {
            Description = "What it allows: operator.read, operator.write, operator.admin, link, peer; several with commas "
            + "[default: operator.write]",
            HelpName = "SCOPES"
        };
    private static readonly Option<string?> Channels = new("--channel") { Description = "Only these channels", HelpName = "NAMES" };
    private static readonly Option<string?> Accounts = new("--account") { Description = "Only these accounts", HelpName = "NAMES" };
    private static readonly Option<string?> Platforms = new("--platform") { Description = "Only these platforms", HelpName = "NAMES" };
    private static readonly Option<string?> Methods = new("--method") { Description = "Only these methods; bncr.* for all that begin so", HelpName = "NAMES" };
    private static readonly Option<int?> Limit = new("--limit") { Description = "The newest so many, 1 to 1000 [default: 100]", HelpName = "N" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() => new("tokens", "Lists, makes, changes or ends access tokens; it holds on every host within a second. Who did what is recorded.")
    {
        List(), Add(), Rotate(), Revoke(), Audit(),
    };

    private static readonly string[] Limits = ["channels", "accounts", "platforms", "methods"];

    private static Command List() => MethodCommand.Make("list", "Lists the tokens, never their secrets; those of the settings are changed there.",
        "access.tokens.list", _ => new JsonObject(), answer =>
    {
        foreach (var token in MethodCommand.Items(answer, "tokens"))
        {
            var limits = Limits
                .Where(name => token[name] is not null).Select(name => $"{name} {string.Join(", ", token[name]!.AsArray())}");
            string[] notes = [.. limits, .. MethodCommand.Note(token, "expiresAt", "until"),
                .. MethodCommand.Note(token, "formerUntil", "former secret until"), .. MethodCommand.Note(token, "lastUsedAt", "last used")];
            Console.WriteLine($"{token["name"]}  ({token["source"]})  {string.Join(", ", token["scopes"]!.AsArray())}{string.Concat(notes.Select(note => "; " + note))}");
        }
    });

    private static Command Add()
    {
        var command = MethodCommand.Make("add", "Makes a token and prints its secret, this once.", "access.tokens.add", parsed =>
        {
            var parameters = new JsonObject
            {
                ["name"] = parsed.GetValue(Name),
                ["scopes"] = Split(parsed.GetValue(ScopeList) ?? "operator.write"),
            };
            foreach (var (key, option) in new[] { ("channels", Channels), ("accounts", Accounts), ("platforms", Platforms), ("methods", Methods) })
            {
                if (parsed.GetValue(option) is { } names) parameters[key] = Split(names);
            }

            SecretOptions.AddExpiry(parsed, parameters);
            return parameters;
        }, WriteSecret);
        command.Arguments.Add(Name);
        foreach (var option in new Option[] { ScopeList, Channels, Accounts, Platforms, Methods, SecretOptions.Expires }) command.Options.Add(option);
        return command;
    }

    private static Command Rotate()
    {
        var command = MethodCommand.Make("rotate", "Gives a token another secret and prints it, this once.", "access.tokens.rotate", parsed =>
        {
            var parameters = new JsonObject { ["name"] = parsed.GetValue(Name) };
            SecretOptions.AddGrace(parsed, parameters);
            return parameters;
        }, WriteSecret);
        command.Arguments.Add(Name);
        command.Options.Add(SecretOptions.Grace);
        return command;
    }

    private static Command Revoke()
    {
        var command = MethodCommand.Make(
            "revoke", "Ends a token and closes what was opened with it.", "access.tokens.revoke", parsed => new JsonObject { ["name"] = parsed.GetValue(Name) },
            _ => Console.WriteLine("revoked"));
        command.Arguments.Add(Name);
        return command;
    }

    private static Command Audit()
    {
        var command = MethodCommand.Make("audit", "Shows refused attempts, and tokens made, rotated and revoked; the newest first.", "access.tokens.audit", parsed =>
        {
            var parameters = new JsonObject();
            if (parsed.GetValue(Limit) is { } limit) parameters["limit"] = limit;
            return parameters;
        }, answer =>
        {
            foreach (var entry in MethodCommand.Items(answer, "entries"))
                Console.WriteLine(
                    string.Join("  ", new[] { MethodCommand.Time(entry["at"]), Text(entry, "action"), Text(entry, "name"), Text(entry, "by"),
                        Text(entry, "door"), Text(entry, "reason") }.Where(text => text.Length > 0)));
        });
        command.Options.Add(Limit);
        return command;
    }

    private static void WriteSecret(JsonObject answer) => SecretOptions.Write($"the secret of '{answer["token"]!["name"]}'", answer);

    private static string Text(JsonObject entry, string name) => (string?)entry[name] ?? "";

    private static JsonArray Split(string text) =>
        [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(item => JsonValue.Create(item))];
}
