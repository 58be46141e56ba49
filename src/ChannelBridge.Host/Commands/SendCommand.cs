using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge send</c>: a message to a conversation.</summary>
internal static class SendCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<string> To =
        new("--to")
        {
            Description = "The conversation, e.g. Bncr:qq:888888, Bncr:qq:123456:888888 or a session key",
            Required = true,
            HelpName = "TARGET"
        };
    private static readonly Option<string?> Account = new("--account")
    {
        Description = "The account [default: the one that knows the "
        + "conversation]",
        HelpName = "ID"
    };
    private static readonly Option<string?> Channel = new("--channel") { Description = "The channel [default: the only one]", HelpName = "ID" };
    private static readonly Option<string?> Key = new("--key") { Description = "An idempotency key: the same one again sends nothing twice", HelpName = "KEY" };
    private static readonly Option<bool> Json = new("--json") { Description = "Print the receipt as JSON" };
    private static readonly Argument<string[]> Text = new("TEXT") { Description = "The text; several words are joined by spaces", Arity = ArgumentArity.OneOrMore };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("send", "Sends a message to a conversation; it is on disk when the command ends, and delivered as soon as the bridge is there.");
        Connection.AddTo(command);
        foreach (var option in new Option[] { To, Account, Channel, Key, Json }) command.Options.Add(option);
        command.Arguments.Add(Text);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var parameters = new JsonObject { ["to"] = parsed.GetValue(To), ["message"] = string.Join(' ', parsed.GetValue(Text)!) };
        if (parsed.GetValue(Account) is { } account) parameters["accountId"] = account;
        if (parsed.GetValue(Channel) is { } channel) parameters["channel"] = channel;
        if (parsed.GetValue(Key) is { } key) parameters["idempotencyKey"] = key;
        var client = new ChannelBridgeClient(Connection.Read(parsed, preferSocket: true));
        await using (client.ConfigureAwait(false))
        {
            await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            var answer = await client.CallAsync("send", JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject), cancellationToken).ConfigureAwait(false);
            var receipt = JsonNode.Parse(answer.Span)!;
            Console.WriteLine(parsed.GetValue(Json)
                ? receipt.ToJsonString()
                : $"{((bool?)receipt["duplicate"] == true ? "sent before" : "accepted")}: message {receipt["messageId"]}, number "
                    + $"{receipt["seq"]} of {PlainText.Line(TargetText.Of((string?)receipt["sessionKey"] ?? ""))}, account "
                    + $"{PlainText.Line((string?)receipt["accountId"] ?? "")}");
            return ExitCodes.Ok;
        }
    }
}
