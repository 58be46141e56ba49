using System.Buffers.Text;
using System.Security.Cryptography;

namespace ChannelBridge.Core.Access;

/// <summary>The file in which a host of one's own keeps a token.</summary>
internal static class TokenFile
{
    private const int SecretBytes = 32;

    /// <summary>The token in the file's first line; a new one, in a new file that its owner alone reads, when there is none.</summary>
    /// <exception cref="IOException">The file can't be read or made.</exception>
    /// <exception cref="InvalidDataException">It holds no token.</exception>
    public static string ReadOrMake(string path)
    {
        if (!File.Exists(path) && Make(path) is { } made) return made;
        var token = File.ReadLines(path).FirstOrDefault()?.Trim();
        return token is { Length: > 0 and <= AccessToken.MaxLength }
            ? token
            : throw new InvalidDataException(
                $"{path}: its first line must be the token, {AccessToken.MaxLength} characters at most; delete the file and a new one is made");
    }

    private static string? Make(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        var token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        // Complete under another name first: a plugin that waits for the file must not read half of it.
        var part = $"{path}.{Guid.NewGuid():n}";
        try
        {
            using (var writer = new StreamWriter(part, options)) writer.WriteLine(token);
            File.Move(part, path);
            return token;
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another host of the folder was faster.
            return null;
        }
        finally
        {
            File.Delete(part);
        }
    }
}
