using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using ChannelBridge.Host.Chat;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge send-file</c>: a file of any size to the host, and on to the agent or to a conversation.</summary>
internal static class SendFileCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<string> Account = new("--upload-account") { Description = "The account that uploads", DefaultValueFactory = _ => "Files", HelpName = "ID" };
    private static readonly Option<string?> To = new("--to") { Description = "Send it to this conversation, e.g. Bncr:qq:888888", HelpName = "TARGET" };
    private static readonly Option<string?> ToAccount = new("--account")
    {
        Description = "With --to: the account that delivers it "
        + "[default: the one that knows the conversation]",
        HelpName = "ID"
    };
    private static readonly Option<string?> User =
        new("--user") { Description = "Send it to the agent, as this user, and print the answer", HelpName = "NAME" };
    private static readonly Option<int> Patience = new("--timeout")
    {
        Description = "With --user: how many seconds to wait for the "
        + "answer; 0: don't wait",
        DefaultValueFactory = _ => 120,
        HelpName = "SECONDS"
    };
    private static readonly Option<string> Message = new("--message") { Description = "A caption", DefaultValueFactory = _ => "", HelpName = "TEXT" };
    private static readonly Option<bool> Voice = new("--voice") { Description = "With --to: send it as a voice message" };
    private static readonly Option<int> Window = new("--window")
    {
        Description = "The most chunks under way at the same time, 1 to 64",
        DefaultValueFactory = _ => 32,
        HelpName = "N"
    };
    private static readonly Option<int> Chunk = new("--chunk") { Description = "Bytes of a chunk, 1024 to 16777216", DefaultValueFactory = _ => 256 * 1024, HelpName = "BYTES" };
    private static readonly Option<bool> Json = new("--json") { Description = "Print the result as JSON" };
    private static readonly Argument<string> PathArgument = new("FILE") { Description = "The file" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command(
            "send-file", "Sends a file to a running host, in chunks; started again after a failure it goes on where it stopped. Without --to and --user the file is only kept.");
        Connection.AddTo(command);
        foreach (var option in new Option[] { To, ToAccount, User, Patience, Message, Voice, Account, Window, Chunk,
            Json }) command.Options.Add(option);
        command.Arguments.Add(PathArgument);
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var path = SettingText.FullPath(parsed.GetValue(PathArgument)!);
        var window = parsed.GetValue(Window);
        var chunk = parsed.GetValue(Chunk);
        if (!File.Exists(path)) return await FailAsync($"{path} doesn't exist or is a folder").ConfigureAwait(false);
        if (window is < 1 or > 64) return await FailAsync("--window must be 1 to 64").ConfigureAwait(false);
        if (chunk is < 1024 or > 16 << 20) return await FailAsync("--chunk must be 1024 to 16777216").ConfigureAwait(false);
        if (parsed.GetValue(Patience) is < 0 or > 86_400) return await FailAsync("--timeout must be 0 to 86400 seconds")
            .ConfigureAwait(false);
        if (parsed.GetValue(To) is not null && parsed.GetValue(User) is not null) return await FailAsync("choose one of --to and --user").ConfigureAwait(false);
        var account = parsed.GetValue(Account)!;
        var user = parsed.GetValue(User) ?? "files";
        var bridge = new BncrBridgeClient(
            new BncrBridgeOptions
            {
                Connection = Connection.Read(parsed, preferSocket: true),
                AccountId = account,
                BridgeId = "channelbridge-send-file"
            });
        await using (bridge.ConfigureAwait(false))
        {
            await bridge.StartAsync(cancellationToken).ConfigureAwait(false);
            BncrUploadedFile file;
            using (var bar = new FileProgressBar())
            {
                var options = new BncrUploadOptions { SessionKey = Convert.ToHexStringLower(Encoding.UTF8.GetBytes($"cli:0:{user}")), ChunkBytes = chunk, Window = window };
                file = await bridge.UploadAsync(path, options, bar, cancellationToken).ConfigureAwait(false);
            }

            var result = new JsonObject
            {
                ["path"] = file.Path,
                ["size"] = file.Size,
                ["fileName"] = file.FileName,
                ["mimeType"] = file.MimeType,
                ["fileSha256"] = file.FileSha256,
            };
            if (parsed.GetValue(To) is { } to) result["messageId"] = await SendAsync(bridge.Client, parsed, to, account, file, cancellationToken).ConfigureAwait(false);
            string? answer = null;
            if (parsed.GetValue(User) is not null)
            {
                var accepted = await bridge.SendAsync(
                    new BncrInbound
                    {
                        Platform = "cli",
                        UserId = user,
                        Type = "file",
                        Msg = parsed.GetValue(Message),
                        Path = file.Path,
                        FileName = file.FileName
                    }, cancellationToken)
                    .ConfigureAwait(false);
                if (!accepted.Accepted)
                {
                    await Console.Error.WriteLineAsync(
                        PlainText.Line($"error: the host refused the message: {accepted.Reason}")).ConfigureAwait(false);
                    return ExitCodes.Refused;
                }

                result["msgId"] = accepted.MsgId;
                if (parsed.GetValue(Patience) is > 0 and var seconds)
                {
                    answer = await AnswerAsync(bridge, accepted.MsgId!, TimeSpan.FromSeconds(seconds), cancellationToken)
                        .ConfigureAwait(false);
                    result["answer"] = answer;
                }
            }

            Console.WriteLine(parsed.GetValue(Json) ? result.ToJsonString()
                : PlainText.Clean($"{file.FileName}: {Units.Bytes(file.Size)} ({file.Size} bytes), {file.MimeType}, SHA-256 "
                + $"{file.FileSha256}\n{file.Path}"));
            if (parsed.GetValue(User) is null) return ExitCodes.Ok;
            if (answer is not null)
            {
                if (!parsed.GetValue(Json)) Console.WriteLine(answer);
                return ExitCodes.Ok;
            }

            var waits = $"the answer goes to the account {account}: channelbridge receive-file --account {account} --count 0 prints it";
            await Console.Error.WriteLineAsync(parsed.GetValue(Patience) == 0 ? waits
                : $"error: no answer within {parsed.GetValue(Patience)} s; {waits}").ConfigureAwait(false);
            return parsed.GetValue(Patience) == 0 ? ExitCodes.Ok : ExitCodes.TimedOut;
        }
    }

    /// <summary>
    /// The answer's text; null when it doesn't come in time. Messages to others of the account are left to their own clients.
    /// </summary>
    private static async Task<string?> AnswerAsync(BncrBridgeClient bridge, string id, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(timeout);
        var texts = new List<string>();
        try
        {
            await foreach (var push in bridge.ReadPushesAsync(patience.Token).ConfigureAwait(false))
            {
                if (push.ReplyToId != id) continue;
                texts.Add(ChatText.Of(push));
                await bridge.AckAsync(push, cancellationToken).ConfigureAwait(false);
                if (push.Message.Kind is null or "final") return string.Join('\n', texts);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // No answer in time; it stays where it is.
        }

        return null;
    }

    private static async Task<string?> SendAsync(
        ChannelBridgeClient client, ParseResult parsed, string to, string account, BncrUploadedFile file, CancellationToken cancellationToken)
    {
        var parameters = new JsonObject
        {
            ["to"] = to,
            ["message"] = parsed.GetValue(Message),
            ["mediaUrl"] = file.Path,
            ["mediaAccountId"] = account,
            ["asVoice"] = parsed.GetValue(Voice),
            ["channel"] = "bncr",
        };
        if (parsed.GetValue(ToAccount) is { } target) parameters["accountId"] = target;
        var answer = await client.CallAsync("send", JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject), cancellationToken).ConfigureAwait(false);
        return (string?)JsonNode.Parse(answer.Span)!["messageId"];
    }

    private static async Task<int> FailAsync(string problem)
    {
        await Console.Error.WriteLineAsync("error: " + problem).ConfigureAwait(false);
        return ExitCodes.Usage;
    }
}
