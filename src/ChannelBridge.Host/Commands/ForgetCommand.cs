using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge forget-account</c>: takes an account that is used no longer out of the lists.</summary>
internal static class ForgetCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Argument<string> Account = new("ACCOUNT") { Description = "The account, as diagnostics shows it (without the channel)" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("forget-account",
            "Removes an account from the lists, with its known conversations. Refused while it has a client, messages that wait, or dead letters.");
        Connection.AddTo(command);
        command.Arguments.Add(Account);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var client = new ChannelBridgeClient(Connection.Read(parsed, preferSocket: true));
        await using (client.ConfigureAwait(false))
        {
            await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
            var parameters = new JsonObject { ["accountId"] = parsed.GetValue(Account) };
            var answer = await client.CallAsync(
                "bncr.account.forget", JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject), cancellationToken).ConfigureAwait(false);
            var result = JsonNode.Parse(answer.Span)!;
            var name = PlainText.Line((string?)result["accountId"] ?? "");
            if ((bool?)result["forgotten"] != true)
            {
                await Console.Error.WriteLineAsync($"error: unknown account '{name}'").ConfigureAwait(false);
                return ExitCodes.Refused;
            }

            Console.WriteLine($"account {name} is forgotten, with {result["conversations"]} known conversations");
            return ExitCodes.Ok;
        }
    }
}
