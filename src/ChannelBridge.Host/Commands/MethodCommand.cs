using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Client;

namespace ChannelBridge.Host.Commands;

/// <summary>Commands that call one method of a running host and show its answer.</summary>
internal static class MethodCommand
{
    private static readonly ConnectionOptions Connection = new();
    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };

    /// <summary>Makes a command.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="method">The method.</param>
    /// <param name="read">The parameters; a <see cref="FormatException"/> says what is wrong with the command line.</param>
    /// <param name="write">Shows the answer.</param>
    /// <param name="connection">The options by which the host is found, where other than usual.</param>
    public static Command Make(
        string name, string description, string method, Func<ParseResult, JsonObject> read, Action<JsonObject> write, ConnectionOptions? connection = null) =>
        Make(name, description, _ => method, read, write, connection);

    /// <summary>The same for a command whose options choose the method.</summary>
    public static Command Make(
        string name, string description, Func<ParseResult, string> method, Func<ParseResult, JsonObject> read, Action<JsonObject> write, ConnectionOptions? connection = null)
    {
        connection ??= Connection;
        var command = new Command(name, description);
        connection.AddTo(command);
        command.Options.Add(Json);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            JsonObject parameters;
            try
            {
                parameters = read(parsed);
            }
            catch (FormatException fault)
            {
                await Console.Error.WriteLineAsync("error: " + fault.Message).ConfigureAwait(false);
                return ExitCodes.Usage;
            }

            var client = new ChannelBridgeClient(connection.Read(parsed, preferSocket: true));
            await using (client.ConfigureAwait(false))
            {
                await client.ConnectAsync(cancellationToken).ConfigureAwait(false);
                var answer = await client.CallAsync(method(parsed), JsonSerializer.SerializeToUtf8Bytes(parameters, CommandJson.Default.JsonObject),
                    cancellationToken).ConfigureAwait(false);
                var result = JsonNode.Parse(answer.Span)!.AsObject();
                if (parsed.GetValue(Json)) Console.WriteLine(result.ToJsonString(CommandJson.Indented));
                else write(result);
                return ExitCodes.Ok;
            }
        });
        return command;
    }

    /// <summary>The objects of a list of the answer.</summary>
    public static IEnumerable<JsonObject> Items(JsonObject answer, string name) => answer[name]!.AsArray().Select(item => item!.AsObject());

    /// <summary>A time with words before it, or nothing.</summary>
    public static IEnumerable<string> Note(JsonObject entry, string name, string words) => entry[name] is { } at ? [$"{words} {Time(at)}"] : [];

    /// <summary>A time for people.</summary>
    public static string Time(JsonNode? at) => DateTimeOffset.FromUnixTimeMilliseconds((long)at!).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Reads a time that was typed.</summary>
    public static TimeSpan Duration(string option, string text) =>
        SettingText.ParseDuration(text) ?? throw new FormatException($"{option}: '{text}' is no time; write 90s, 10m, 12h or 30d");
}
