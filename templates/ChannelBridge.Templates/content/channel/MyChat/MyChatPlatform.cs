namespace MyChat;

/// <summary>
/// The chat platform: replace what is in here by calls of yours. This one is a folder: <c>in/USER.ID.txt</c> is a message of USER with the id ID, and
/// what USER is told appears as <c>out/USER.ID.txt</c>.
/// </summary>
public sealed class MyChatPlatform(string folder)
{
    private readonly string _in = Directory.CreateDirectory(Path.Combine(folder, "in")).FullName;
    private readonly string _out = Directory.CreateDirectory(Path.Combine(folder, "out")).FullName;

    /// <summary>What users have said and nobody has taken yet, the oldest first. It comes again until <see cref="Taken"/>.</summary>
    public IEnumerable<PlatformText> Waiting()
    {
        foreach (var file in new DirectoryInfo(_in).GetFiles("*.txt").OrderBy(file => file.LastWriteTimeUtc).ThenBy(file => file.Name, StringComparer.Ordinal))
        {
            var parts = Path.GetFileNameWithoutExtension(file.Name).Split('.', 2);
            yield return new PlatformText(parts[0], parts.Length == 2 ? parts[1] : $"{file.LastWriteTimeUtc.Ticks}", File.ReadAllText(file.FullName), file.FullName);
        }
    }

    /// <summary>The host has it on disk: the platform needn't bring it again.</summary>
    public static void Taken(PlatformText text) => File.Delete(text.File);

    /// <summary>Tells a user something. The same <paramref name="id"/> again is the same message.</summary>
    public async Task TellAsync(string user, Guid id, string text, CancellationToken cancellationToken)
    {
        var file = Path.Combine(_out, $"{user}.{id:N}.txt");
        await File.WriteAllTextAsync(file + ".part", text, cancellationToken);
        File.Move(file + ".part", file, overwrite: true);
    }
}

/// <summary>What a user has said.</summary>
public sealed record PlatformText(string User, string Id, string Text, string File);
