namespace ChannelBridge.Abstractions.Settings;

/// <summary>An environment variable of another program that stands for a setting. The setting itself goes before it.</summary>
/// <param name="Variable">The variable, e.g. <c>INSTACLAW_WS_URL</c>.</param>
/// <param name="Name">The setting's name in its channel, e.g. <c>WsUrl</c>.</param>
/// <param name="Unit">What a bare number of the variable is, e.g. <c>ms</c>; null: the value is taken as it is.</param>
public sealed record SettingAlias(string Variable, string Name, string? Unit = null)
{
    /// <summary>The variable's value as the setting would be written; null when the variable isn't set.</summary>
    /// <param name="environment">Gives a variable, or null.</param>
    public string? Value(Func<string, string?> environment)
    {
        ArgumentNullException.ThrowIfNull(environment);
        if (environment(Variable) is not { Length: > 0 } value) return null;

        // Anything but a bare number is left to be refused with its key.
        return Unit is not null && value.All(char.IsAsciiDigit) ? value + Unit : value;
    }
}
