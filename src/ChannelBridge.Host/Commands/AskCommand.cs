using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Client;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge ask</c>: one question to an agent of a running host, and its answer.</summary>
internal static class AskCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<bool> Stream =
        new("--stream") { Description = "Print the answer while it grows [default: at a terminal]" };
    private static readonly Option<string?> Model = new("--model", "--agent", "-m") { Description = "The agent by name [default: the host's]", HelpName = "NAME" };
    private static readonly Option<string?> Previous = new("--previous") { Description = "The response that this one continues", HelpName = "ID" };
    private static readonly Option<string?> Instructions = new("--instructions") { Description = "What the agent is told first", HelpName = "TEXT" };
    private static readonly Option<string[]> Files = new("--file") { Description = "A file to send along; may be given several times", HelpName = "PATH" };
    private static readonly Option<bool> NoStore = new("--no-store") { Description = "Don't keep the answer for continuation" };
    private static readonly Option<int?> Patience = new("--timeout")
    {
        Description = "Give up and cancel the answer after so many "
        + "seconds [default: wait as long as the agent may]",
        HelpName = "SECONDS"
    };
    private static readonly Option<bool> Json = new("--json") { Description = "Print the response as JSON; with --stream each event, one per line" };
    private static readonly Argument<string[]> Text =
        new("TEXT") { Description = "The question; several words are joined by spaces, - reads standard input", Arity = ArgumentArity.OneOrMore };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("ask", "Asks an agent of a running host and prints its answer. Ctrl-C cancels the answer.");
        Connection.AddTo(command);
        foreach (var option in new Option[] { Stream, Model, Previous, Instructions, Files, NoStore, Patience, Json }) command.Options.Add(
            option);
        command.Arguments.Add(Text);
        Patience.Validators.Add(result =>
        {
            if (result.GetValue(Patience) is < 1 or > 86_400) result.AddError("--timeout must be 1 to 86400 seconds");
        });
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var request = await MakeRequestAsync(parsed, cancellationToken).ConfigureAwait(false);
        if (request is null) return ExitCodes.Usage;
        using var interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // The code of a signal that ended it, or of the end of patience; 0 when nothing did.
        var ended = 0;
        // The first Ctrl-C cancels the answer, the second one the command.
        void Interrupt(PosixSignalContext signal)
        {
            signal.Cancel = !interrupted.IsCancellationRequested;
            Interlocked.CompareExchange(ref ended, signal.Signal == PosixSignal.SIGINT ? ExitCodes.Interrupted : ExitCodes.Terminated, 0);
            interrupted.Cancel();
        }

        using var keys = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        var seconds = parsed.GetValue(Patience);
        using var patience = new Timer(
            _ =>
            {
                Interlocked.CompareExchange(ref ended, ExitCodes.TimedOut, 0);
                interrupted.Cancel();
            },
            null, seconds is { } wait ? TimeSpan.FromSeconds(wait) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        var json = parsed.GetValue(Json);
        var stream = parsed.GetValue(Stream) || (!json && !Console.IsOutputRedirected);
        var client = new ChannelBridgeClient(Connection.Read(parsed, preferSocket: true));
        await using (client.ConfigureAwait(false))
        {
            try
            {
                using var events = client.Subscribe("responses.event");
                await client.ConnectAsync(interrupted.Token).ConfigureAwait(false);
                if (!await CheckAgentAsync(client, parsed.GetValue(Model), interrupted.Token)
                    .ConfigureAwait(false)) return ExitCodes.Refused;
                var answer = JsonNode.Parse(
                    (await CallAsync(client, "responses.create", request, interrupted.Token).ConfigureAwait(false)).Span)!;
                var printer = new AnswerPrinter((string)answer["responseId"]!, stream, json, Console.Out, Console.Error);
                var code = await ReadAsync(client, events, printer, interrupted.Token).ConfigureAwait(false);
                if (ended == ExitCodes.TimedOut) await Console.Error.WriteLineAsync(
                    $"error: no whole answer within {seconds} s; it was cancelled").ConfigureAwait(false);
                return ended != 0 ? ended : code;
            }
            catch (OperationCanceledException) when (ended != 0)
            {
                if (ended == ExitCodes.TimedOut) await Console.Error.WriteLineAsync(
                    $"error: the host didn't answer within {seconds} s").ConfigureAwait(false);
                return ended;
            }
        }
    }

    /// <summary>Says beforehand which agent isn't there: the host's refusal tells less. False: no agent has that name.</summary>
    private static async Task<bool> CheckAgentAsync(ChannelBridgeClient client, string? model, CancellationToken cancellationToken)
    {
        JsonObject? agents;
        string? usual;
        try
        {
            var sections = JsonNode.Parse((await CallAsync(client, "diagnostics", [], cancellationToken).ConfigureAwait(false)).Span)!;
            agents = sections["agents"] as JsonObject;
            usual = (string?)sections["host"]?["agent"];
        }
        catch (ChannelBridgeClientException)
        {
            // A token that may ask but not look; the answer itself will tell.
            return true;
        }

        if (agents is null || agents.ContainsKey("error")) return true;
        var name = model?.Split('/', 2)[0] ?? usual ?? "";
        var (found, about) = agents.FirstOrDefault(agent => string.Equals(agent.Key, name, StringComparison.OrdinalIgnoreCase));
        if (found is null)
        {
            if (model is null) return true;
            await Console.Error.WriteLineAsync($"error: unknown agent '{PlainText.Line(model)}'; available: "
                + $"{PlainText.Line(string.Join(", ", agents.Select(agent => agent.Key)))}").ConfigureAwait(false);
            return false;
        }

        if ((bool?)about?["available"] == false)
            await Console.Error.WriteLineAsync($"the agent {PlainText.Line(found)} isn't connected").ConfigureAwait(false);
        return true;
    }

    private static async Task<int> ReadAsync(ChannelBridgeClient client, ClientSubscription events, AnswerPrinter printer, CancellationToken interrupted)
    {
        Task Resume(CancellationToken cancellationToken) => CallAsync(
            client, "responses.resume", new JsonObject { ["responseId"] = printer.Id, ["after"] = printer.Last }, cancellationToken);

        client.StateChanged += (_, change) =>
        {
            if (change.State == ClientState.Connected) _ = Resume(CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        };
        using var cancel = interrupted.Register(() => _ = CallAsync(client, "responses.cancel", new JsonObject { ["responseId"] = printer.Id }, CancellationToken.None));
        await foreach (var incoming in events.ConfigureAwait(false))
        {
            if (printer.Take(incoming.Payload) is { } code) return code;
            // A gap: the terminal was slower than the agent.
            if (incoming.Missed > 0) await Resume(CancellationToken.None).ConfigureAwait(false);
        }

        return ExitCodes.Unreachable;
    }

    private static Task<ReadOnlyMemory<byte>> CallAsync(ChannelBridgeClient client, string method, JsonObject parameters, CancellationToken cancellationToken) =>
        client.CallAsync(method, JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject), cancellationToken);

    private static async Task<JsonObject?> MakeRequestAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var words = parsed.GetValue(Text)!;
        var text = words is ["-"] ? (await Console.In.ReadToEndAsync(cancellationToken).ConfigureAwait(false)).TrimEnd() : string.Join(' ', words);
        var content = new JsonArray(new JsonObject { ["type"] = "input_text", ["text"] = text });
        foreach (var path in parsed.GetValue(Files) ?? [])
        {
            var file = SettingText.FullPath(path);
            if (!File.Exists(file))
            {
                await Console.Error.WriteLineAsync($"error: the file {path} does not exist").ConfigureAwait(false);
                return null;
            }

            content.Add((JsonNode)Describe(file, Convert.ToBase64String(await File.ReadAllBytesAsync(file, cancellationToken).ConfigureAwait(false))));
        }

        var request = new JsonObject { ["input"] = new JsonArray(new JsonObject { ["type"] = "message", ["role"] = "user", ["content"] = content }) };
        if (parsed.GetValue(Model) is { } model) request["model"] = model;
        if (parsed.GetValue(Previous) is { } previous) request["previous_response_id"] = previous;
        if (parsed.GetValue(Instructions) is { } instructions) request["instructions"] = instructions;
        if (parsed.GetValue(NoStore)) request["store"] = false;
        return request;
    }

    private static JsonObject Describe(string path, string base64)
    {
        var type = Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".png" => "image/png",
            ".jpg" or ".jpeg" => "image/jpeg",
            ".gif" => "image/gif",
            ".webp" => "image/webp",
            _ => null,
        };
        return type is null
            ? new JsonObject { ["type"] = "input_file", ["filename"] = Path.GetFileName(path), ["file_data"] = base64 }
            : new JsonObject { ["type"] = "input_image", ["image_url"] = $"data:{type};base64,{base64}" };
    }
}
