using System.CommandLine;
using System.Text.Json.Nodes;

namespace ChannelBridge.Host.Commands;

/// <summary>What commands that make a secret have in common: how long it holds, how long the former one does, and how it is printed.</summary>
internal static class SecretOptions
{
    /// <summary>How long the new secret holds.</summary>
    public static readonly Option<string?> Expires = new("--expires-in")
    {
        Description = "For how long it holds, e.g. 30d [default: for ever]",
        HelpName = "TIME",
    };

    /// <summary>How long the former secret holds beside the new one.</summary>
    public static readonly Option<string?> Grace = new("--grace")
    {
        Description = "For how long the former one holds, 0s for not at all [default: 10m]",
        HelpName = "TIME",
    };

    /// <summary>Adds <c>expiresAt</c> to a method's parameters, if it was asked for.</summary>
    /// <exception cref="FormatException">The option is no time.</exception>
    public static void AddExpiry(ParseResult parsed, JsonObject parameters)
    {
        if (parsed.GetValue(Expires) is { } time)
            parameters["expiresAt"] = (DateTimeOffset.UtcNow + MethodCommand.Duration("--expires-in", time)).ToUnixTimeMilliseconds();
    }

    /// <summary>Adds <c>graceSeconds</c> to a method's parameters, if it was asked for.</summary>
    /// <exception cref="FormatException">The option is no time.</exception>
    public static void AddGrace(ParseResult parsed, JsonObject parameters)
    {
        if (parsed.GetValue(Grace) is { } time) parameters["graceSeconds"] = (long)MethodCommand.Duration("--grace", time).TotalSeconds;
    }

    /// <summary>Prints the secret of an answer, alone on standard output: a script can take it from there.</summary>
    /// <param name="what">What it is and whose, for the line before it on standard error.</param>
    /// <param name="answer">The method's answer, with <c>secret</c>.</param>
    public static void Write(string what, JsonObject answer)
    {
        Console.Error.WriteLine($"{what}, shown this once:");
        Console.WriteLine((string?)answer["secret"]);
    }
}
