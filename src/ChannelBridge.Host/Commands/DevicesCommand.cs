using System.CommandLine;
using System.Text.Json.Nodes;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge devices</c>: see, approve, reject and end devices while the host runs.</summary>
internal static class DevicesCommand
{
    private static readonly Argument<string> Request = new("REQUEST") { Description = "The request's id, as list shows it" };
    private static readonly Argument<string> Device = new("DEVICE") { Description = "The device's id, as list shows it" };
    private static readonly Argument<string> Label = new("NAME") { Description = "What to call it, 1 to 64 characters" };
    private static readonly Option<bool> TokenOnly = new("--token-only") { Description = "End its token and keep its approval" };
    private static readonly Option<string?> ScopeList = new("--scope")
    {
        Description = "What the next token allows, within what is approved: operator.read, operator.write, operator.admin; several with commas [default: the same]",
        HelpName = "SCOPES",
    };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create() => new("devices", "Lists, approves, rejects, renames or ends devices: clients that come in with a key of their own.")
    {
        List(), Approve(), Reject(), Revoke(), Rotate(), Rename(),
    };

    private static Command List() => MethodCommand.Make(
        "list", "Lists the requests that wait and the devices that are approved.", "device.pair.list", _ => [], answer =>
        {
            foreach (var request in MethodCommand.Items(answer, "pending"))
            {
                Write(
                    $"waits    {request["requestId"]}  device {Short(request)}  {request["reason"]}  {Scopes(request)}  {Client(request)}; "
                    + $"since {MethodCommand.Time(request["ts"])}"
                    + (request["remoteIp"] is { } address ? $" from {address}" : ""));
            }

            foreach (var device in MethodCommand.Items(answer, "paired"))
            {
                Write(
                    $"approved {device["deviceId"]}  {Scopes(device)}  {Client(device)}; since {MethodCommand.Time(device["approvedAtMs"])} by {device["approvedBy"]}"
                    + ((bool)device["connected"]! ? "; connected" : "") + string.Concat(MethodCommand.Items(device, "tokens").Select(Token)));
            }
        });

    private static Command Approve()
    {
        var command = MethodCommand.Make(
            "approve", "Approves a request: its device comes in, and gets a token of its own.", "device.pair.approve",
            parsed => new JsonObject { ["requestId"] = parsed.GetValue(Request) },
            answer => Write($"approved {answer["device"]!["deviceId"]}: {Scopes(answer["device"]!.AsObject())}"));
        command.Arguments.Add(Request);
        return command;
    }

    private static Command Reject()
    {
        var command = MethodCommand.Make(
            "reject", "Turns a request down.", "device.pair.reject", parsed => new JsonObject { ["requestId"] = parsed.GetValue(Request) },
            answer => Write($"rejected the request of {answer["deviceId"]}"));
        command.Arguments.Add(Request);
        return command;
    }

    private static Command Revoke()
    {
        var command = MethodCommand.Make(
            "revoke", "Ends a device: its approval and its token, and what it has opened.",
            parsed => parsed.GetValue(TokenOnly) ? "device.token.revoke" : "device.pair.remove",
            parsed => new JsonObject { ["deviceId"] = parsed.GetValue(Device) }, _ => Console.WriteLine("revoked"));
        command.Arguments.Add(Device);
        command.Options.Add(TokenOnly);
        return command;
    }

    private static Command Rotate()
    {
        var command = MethodCommand.Make(
            "rotate", "Ends a device's token; it gets another one with its next connection by an access token.", "device.token.rotate", parsed =>
            {
                var parameters = new JsonObject { ["deviceId"] = parsed.GetValue(Device) };
                if (parsed.GetValue(ScopeList) is not { } scopes) return parameters;
                var names = scopes.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
                parameters["scopes"] = new JsonArray([.. names.Select(name => JsonValue.Create(name))]);
                return parameters;
            }, answer => Write($"rotated: {Scopes(answer)}"));
        command.Arguments.Add(Device);
        command.Options.Add(ScopeList);
        return command;
    }

    private static Command Rename()
    {
        var command = MethodCommand.Make(
            "rename", "Gives a device a name for operators.", "device.pair.rename",
            parsed => new JsonObject { ["deviceId"] = parsed.GetValue(Device), ["label"] = parsed.GetValue(Label) }, answer => Write($"renamed to {answer["label"]}"));
        command.Arguments.Add(Device);
        command.Arguments.Add(Label);
        return command;
    }

    // What a client says of itself goes to an operator's terminal.
    private static void Write(string line) => Console.WriteLine(PlainText.Clean(line));

    private static string Short(JsonObject request) => ((string)request["deviceId"]!)[..12];

    private static string Scopes(JsonObject item) => string.Join(", ", item["scopes"]!.AsArray());

    private static string Client(JsonObject item) =>
        $"{item["operatorLabel"] ?? item["displayName"] ?? item["clientId"]} ({string.Join(", ", new[] { item["platform"], item["deviceFamily"] }.OfType<JsonNode>())})";

    private static string Token(JsonObject token) =>
        token["revokedAtMs"] is { } at ? $"; token revoked {MethodCommand.Time(at)}"
        : (bool)token["isDue"]! ? "; waits for its next token" : $"; token since {MethodCommand.Time(token["rotatedAtMs"] ?? token["createdAtMs"])}";
}
